"""``movielens rank``: what it reads, writes and shows."""

from __future__ import annotations

import polars as pl
import pytest
from unit.command_line import COMMAND, in_a_terminal

from airflow_movielens.cli import main
from airflow_movielens.ranking import rank_movies, rank_movies_by_rating


def test_rank_reads_files_and_globs_and_adds_titles(fetched, tmp_path, capsys):
    movies = tmp_path / "movies.csv"
    movies.write_text("movieId,title,genres\n912,Casablanca,Drama\n")
    (tmp_path / "more").mkdir()
    pl.read_parquet(fetched).head(50).write_csv(tmp_path / "more" / "again.csv")
    ranking = tmp_path / "ranking.json"
    inputs = [str(fetched), str(tmp_path / "more" / "*.csv")]
    options = ["--output-path", str(ranking), "--movies-path", str(movies), "--min-ratings", "5"]
    assert main(["rank", "--input-path", *inputs, *options]) == 0
    found = pl.read_json(ranking)
    expected = rank_movies_by_rating(pl.read_parquet(fetched), 5)
    assert found.drop("title").rows() == expected.rows()
    assert found.filter(pl.col("title").is_not_null()).select("movieId", "title").rows() == [(912, "Casablanca")]
    assert capsys.readouterr().out == f"{len(expected)} movies of 2 files ranked in {ranking}\n"


def test_a_method_by_genre_with_movement(fetched, tmp_path):
    movies = tmp_path / "movies.csv"
    movies.write_text("movieId,title,genres\n912,Casablanca,Drama|Romance\n1,Toy Story,Comedy\n")
    earlier, later = tmp_path / "earlier.parquet", tmp_path / "later.csv"
    options = ["--method", "trending", "--by", "genre", "--half-life", "3", "--movies-path", str(movies)]
    rank = ["rank", "--input-path", str(fetched), *options]
    assert main([*rank, "--output-path", str(earlier), "--as-of", "974851200"]) == 0
    assert main([*rank, "--output-path", str(later), "--compare-to", str(earlier), "--unique"]) == 0
    found = pl.read_csv(later)
    expected = rank_movies(
        pl.read_parquet(fetched),
        by="genre",
        movies=pl.read_csv(movies),
        compare_to=pl.read_parquet(earlier),
        half_life=3,
    )
    assert found.write_csv() == expected.write_csv()
    assert found["genre"].to_list() == ["Comedy", "Drama", "Romance"]
    assert found["previous_rank"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--min-ratings", "0"], "--min-ratings is 0"),
        (["--method", "luck"], "no ranking method 'luck'"),
        (["--method", "bayesian", "--k", "-1"], "k is -1.0: give a number of at least 0"),
        (["--method", "imdb", "--half-life", "3"], "the ranking method imdb has no parameter half_life: it takes m"),
        (["--method", "popular", "--by", "genre"], "a ranking by genre needs movies with the column genres"),
        (["--by", "genre"], "files of the method mean have no rank: use another method"),
    ],
)
def test_an_unusable_option_is_a_usage_error(options, words, capsys):
    assert main(["rank", "--input-path", "r.csv", "--output-path", "k.csv", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_shows_a_table(fetched, tmp_path):
    command = [*COMMAND, "rank", "--input-path", str(fetched), "--output-path", str(tmp_path / "k.csv")]
    status, shown = in_a_terminal(command)
    assert status == 0, shown
    assert "avg_rating" in shown


@pytest.mark.slow
def test_a_terminal_does_not_obey_a_title(fetched, tmp_path):
    movies = tmp_path / "movies.ndjson"
    top = rank_movies_by_rating(pl.read_parquet(fetched), 3)["movieId"].head(10)
    title = "\x1b]0;another window title\x07\x1b[2J\x9b31m\u202e :smile: x"
    pl.DataFrame({"movieId": top, "title": [title] * len(top)}).write_ndjson(movies)
    files = ["--input-path", str(fetched), "--output-path", str(tmp_path / "k.csv"), "--movies-path", str(movies)]
    status, shown = in_a_terminal([*COMMAND, "rank", *files])
    assert status == 0, shown
    assert "another" in shown
    assert not [
        forbidden for forbidden in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\U0001f604") if forbidden in shown
    ]
