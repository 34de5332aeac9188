"""Folders in GroupLens' format, whole and damaged. All ratings here are invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from movielens_api import datasets
from movielens_api.errors import DamagedDatasetError, StartupError

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = "1,7,4.0,86400\n"


def test_a_folder(folder: Path) -> None:
    catalogue = datasets.load(str(folder))
    assert catalogue.ratings.window().rows() == [(8, 0.5, 86399, 1), (7, 4.0, 86400, 1), (7, 3.5, 86400, 2)]
    assert catalogue.movies.rows() == [(7, "No Year", None, "(no genres listed)"), (8, "Plain, The", 1995, "Drama")]
    assert catalogue.users.rows() == [(1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Seven (a.k.a. Se7en) (1995)", ("Seven (a.k.a. Se7en)", 1995)),
        ("Blind Side, The  (2009)", ("Blind Side, The ", 2009)),
        ("2001: A Space Odyssey (1968)", ("2001: A Space Odyssey", 1968)),
        ("1984 (1956)", ("1984", 1956)),
        ("Late (2015) ", ("Late", 2015)),
        (" (1999)", (" (1999)", None)),
        ("Fawlty Towers (1975-1979)", ("Fawlty Towers (1975-1979)", None)),
        ("Big Bang Theory, The (2007-)", ("Big Bang Theory, The (2007-)", None)),
        ("Amélie", ("Amélie", None)),
    ],
)
def test_titles_and_years_are_like_those_of_the_sample(
    folder: Path, title: str, expected: tuple[str, int | None]
) -> None:
    (folder / "movies.csv").write_text(f'movieId,title,genres\n7,"{title}",Drama\n', encoding="utf-8")
    assert datasets.load(str(folder)).movies.select("title", "year").row(0) == expected


@pytest.mark.parametrize(
    "text",
    [
        HEADER + GOOD,
        HEADER + GOOD.rstrip(),
        (HEADER + GOOD).replace("\n", "\r\n"),
        "\ufeff" + HEADER + GOOD,
        HEADER + GOOD.replace("4.0", "4"),
        '"userId","movieId","rating","timestamp"\n"1","7","4.0","86400"\n',
    ],
)
def test_spellings_of_the_same(folder: Path, text: str) -> None:
    (folder / "ratings.csv").write_bytes(text.encode())
    assert datasets.load(str(folder)).ratings.window().rows() == [(7, 4.0, 86400, 1)]


def test_no_ratings_is_a_dataset(folder: Path) -> None:
    (folder / "ratings.csv").write_text(HEADER)
    catalogue = datasets.load(str(folder))
    assert len(catalogue.ratings) == 0
    assert catalogue.ratings.days() is None
    assert catalogue.summary() == f"0 ratings of 2 movies by 0 users, dataset {folder}"


def test_rated_again_later_is_a_rating_of_its_own(folder: Path) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "1,7,2.0,86401\n")
    assert len(datasets.load(str(folder)).ratings) == 2


def test_an_unclosed_quote_does_not_swallow_movies(folder: Path) -> None:
    (folder / "movies.csv").write_text('movieId,title,genres\n7,"Plain (1995),Drama\n8,Other (1995),Drama\n')
    with pytest.raises(DamagedDatasetError, match=r"movies\.csv, line 2: expected CSV, found '7,.Plain"):
        datasets.load(str(folder))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "userId,movieId,rating\n1,7,4.0\n",
        GOOD,
        HEADER.replace(",", " "),
        "\x00\x01",
    ],
)
def test_a_file_that_is_not_a_ratings_file_is_refused(folder: Path, text: str) -> None:
    (folder / "ratings.csv").write_text(text)
    with pytest.raises(DamagedDatasetError) as caught:
        datasets.load(str(folder))
    assert f"{folder}/ratings.csv" in str(caught.value)
    assert "userId,movieId,rating,timestamp" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("x,A (1999),Drama", "movieId"),
        ("8,Again (1999),Drama", "each movieId"),
        ("9", "3 fields"),
        ("9,A (1999)", "3 fields"),
    ],
)
def test_a_bad_movie_is_named_with_its_line(folder: Path, row: str, column: str) -> None:
    (folder / "movies.csv").write_text(f"movieId,title,genres\n8,Plain (1995),Drama\n{row}\n")
    with pytest.raises(DamagedDatasetError, match=f"movies.csv, line 3: expected {column}"):
        datasets.load(str(folder))


def test_a_movies_file_that_is_not_text(folder: Path) -> None:
    (folder / "movies.csv").write_bytes(b"movieId,title,genres\n8,\xff\xfe (1995),Drama\n")
    with pytest.raises(DamagedDatasetError, match=r"movies\.csv"):
        datasets.load(str(folder))


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_both_files_belong_to_a_folder(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(StartupError, match=f"has no {name}: a dataset is a folder with"):
        datasets.load(str(folder))


@pytest.mark.parametrize("name", ["sampel", "/nowhere/at/all"])
def test_no_such_dataset(name: str) -> None:
    with pytest.raises(StartupError, match="unknown dataset"):
        datasets.load(name)
