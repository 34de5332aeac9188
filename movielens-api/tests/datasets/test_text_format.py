"""Datasets as people save them: every text loads with the right values, or is refused with its line. All invented."""

from __future__ import annotations

import io
import random
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from api_testing import damaged

from movielens_api import datasets
from movielens_api.datasets import ratings_file
from movielens_api.datasets.options import Options
from movielens_api.errors import DamagedDatasetError, StartupError

RATINGS = "userId,movieId,rating,timestamp\n2,7,3.5,86400\n1,7,4.0,86401\n1,8,0.5,86399\n"
MOVIES = 'movieId,title,genres\n8,"Plain, The (1995)",Drama\n7,Émile,Comedy|Film-Noir\n'
ROWS = [(8, 0.5, 86399, 1), (7, 3.5, 86400, 2), (7, 4.0, 86401, 1)]
TITLES = [(7, "Émile", None, "Comedy|Film-Noir"), (8, "Plain, The", 1995, "Drama")]
CSV = {"ratings.csv": RATINGS, "movies.csv": MOVIES}
DAT = {
    "ratings.dat": "2::7::3.5::86400\n1::7::4::86401\n1::8::0.5::86399\n",
    "movies.dat": "8::Plain, The (1995)::Drama\n7::Émile::Comedy|Film-Noir\n",
    "users.dat": "1::F::1::10::48067\n",
}
HUNDRED_K = {
    "u.data": "2\t7\t3.5\t86400\n1\t7\t4\t86401\n1\t8\t0.5\t86399\n",
    "u.item": "8|Plain, The (1995)|01-Jan-1995||http://x/?a|0|0|1|0\n7|Émile||||0|1|0|1\n",
    "u.genre": "unknown|0\nComedy|1\nDrama|2\nFilm-Noir|3\n\n",
    "u.user": "1|24|M|technician|85711\n",
    "ua.base": "not read",
}


def write(folder: Path, files: dict[str, str | bytes]) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))
    return str(folder)


def pack(path: Path, files: dict[str, str | bytes], packing: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            # Written as given: zipfile itself would replace backslashes where they separate folders.
            member = zipfile.ZipInfo("x")
            member.filename, member.compress_type = name, packing
            archive.writestr(member, content)
    return str(path)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(tmp_path / "data", 0.5, report=lambda _: None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ml"


def assert_loads(dataset: str, options: Options, titles: list[tuple[object, ...]] = TITLES) -> None:
    # The second time from the binary cache.
    for _ in range(2):
        catalogue = datasets.load(dataset, options)
        assert catalogue.ratings.window().rows() == ROWS
        assert catalogue.movies.rows() == titles
    assert not (options.data_dir / "quarantine").exists()


def nested(files: dict[str, str | bytes], prefix: str) -> dict[str, str | bytes]:
    return {prefix + name: content for name, content in files.items()}


def latin1(files: dict[str, str | bytes]) -> dict[str, str | bytes]:
    return {name: str(content).encode("latin-1") for name, content in files.items()}


LAYOUTS: dict[str, dict[str, str | bytes]] = {
    "csv": {**CSV},
    "kaggle names": {"rating.csv": RATINGS, "movie.csv": MOVIES, "tag.csv": "x"},
    "upper case": {"RATINGS.CSV": RATINGS, "Movies.Csv": MOVIES},
    "ml-10m": {**DAT},
    "ml-1m": latin1({**DAT}),
    "ml-10m on Windows": {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in DAT.items()},
    "ml-10m with CR": {name: text.replace("\n", "\r") for name, text in DAT.items()},
    "ml-10m in UTF-16": {name: text.encode("utf-16") for name, text in DAT.items()},
    "ml-100k on Windows": {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in HUNDRED_K.items()},
    "ml-100k": latin1({**HUNDRED_K}),
    "ml-100k in UTF-8": {**HUNDRED_K},
    "nested": nested({**CSV}, "ml-25m/"),
    "nested ml-1m": latin1(nested({**DAT}, "ml-1m/")),
    "nested ml-100k": latin1(nested({**HUNDRED_K}, "ml-100k/")),
    "with what macOS adds": {
        **nested({**CSV}, "ml/"),
        **nested({**CSV}, "__MACOSX/"),
        "ml/.DS_Store": b"\0",
        "ml/._ratings.csv": b"\0",
        "._movies.csv": b"\0",
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_releases_in_their_own_formats(place: Path, options: Options, name: str) -> None:
    files = LAYOUTS[name]
    assert_loads(write(place, files), options)
    assert_loads(pack(place / "ml.ZIP", files), options)


@pytest.mark.parametrize("prefix", ["ml\\", "./", ".\\ml\\", "/", "ml/"])
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_any_tool(tmp_path: Path, options: Options, prefix: str, packing: int) -> None:
    assert_loads(pack(tmp_path / "ml.zip", nested({**CSV}, prefix), packing), options)


def separated(text: str, separator: str) -> str:
    return text.replace(",", separator)


def quoted(text: str) -> str:
    return "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines())


def columns(text: str, *order: int) -> str:
    return "".join(",".join(line.split(",")[i] for i in order) + "\n" for line in text.splitlines())


def with_column(text: str, place: int, *cells: str) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    return "".join(",".join([*row[:place], cell, *row[place:]]) + "\n" for row, cell in zip(rows, cells, strict=True))


DATED = (
    '"userId","movieId","rating","timestamp"\n2,7,3.5,"1970-01-02 00:00:00"\n1,7,4.0,"1970-01-02 00:00:01"\n'
    '1,8,0.5,"1970-01-01 23:59:59"\n'
)
TEXTS: dict[str, str | bytes] = {
    "UTF-8 with its mark": "\ufeff" + RATINGS,
    "UTF-16": RATINGS.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + RATINGS.encode("utf-16-be"),
    "UTF-16 without its mark": RATINGS.encode("utf-16-le"),
    "UTF-16 without its mark, big end first": RATINGS.encode("utf-16-be"),
    "UTF-32": RATINGS.encode("utf-32"),
    "CRLF": RATINGS.replace("\n", "\r\n"),
    "CR": RATINGS.replace("\n", "\r"),
    "UTF-16 of Windows": RATINGS.replace("\n", "\r\n").encode("utf-16"),
    "semicolons": separated(RATINGS, ";"),
    "decimal commas": separated(RATINGS, ";").replace(".", ","),
    "tabs": separated(RATINGS, "\t"),
    "tabs and decimal commas in UTF-16": separated(RATINGS, "\t").replace(".", ",").encode("utf-16"),
    "a column of other dates": with_column(RATINGS, 0, "exported", *["2020-01-01 00:00:00"] * 3),
    "bars": separated(RATINGS, "|"),
    "sep=": "sep=;\n" + separated(RATINGS, ";"),
    "sep= with commas": "sep=,\r\n" + RATINGS.replace("\n", "\r\n"),
    "sep= in quotes after a mark": '\ufeff"sep=;"\n' + separated(RATINGS, ";"),
    "all quoted": quoted(RATINGS),
    "all quoted, semicolons": quoted(RATINGS).replace(",", ";"),
    "another order": columns(RATINGS, 3, 2, 1, 0),
    "other names": RATINGS.replace("userId,movieId", "user_id,MOVIE ID"),
    "items": RATINGS.replace("userId,movieId", "UserID,itemId"),
    "an index": with_column(RATINGS, 0, "", "0", "1", "2"),
    "an empty column": with_column(RATINGS, 4, "", "", "", ""),
    "a column of titles": with_column(RATINGS, 2, "title", '"Good, the Bad"', "Plain", '"A ""B"" C"'),
    "two columns of one name": with_column(with_column(RATINGS, 0, "x", "", "1", ""), 3, "x", "", "", "2"),
    "dates and times": DATED,
    "dates and times unquoted": DATED.replace('"', ""),
    "dates and times of ISO 8601": DATED.replace(" ", "T").replace(':00"', ':00Z"').replace(':59"', ':59+00:00"'),
    "dates and times first": columns(DATED, 3, 0, 1, 2),
    "empty lines at the end": RATINGS + "\n\r\n\n",
    "no line end at the end": RATINGS.rstrip("\n"),
    "whole numbers": RATINGS.replace("4.0", "4"),
    "zeros and spaces": RATINGS.replace("2,7,3.5", " 002,7,3.50"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_ratings_as_people_save_them(place: Path, options: Options, name: str) -> None:
    assert_loads(write(place, {**CSV, "ratings.csv": TEXTS[name]}), options)


@pytest.mark.parametrize("name", TEXTS)
def test_a_damaged_line_changes_no_other(place: Path, options: Options, name: str) -> None:
    content = TEXTS[name]
    if not isinstance(content, str):
        return
    end = "\r" if "\n" not in content else "\r\n" if "\r\n" in content and name != "empty lines at the end" else "\n"
    text = content.rstrip("\r\n") + f'{end}damaged "line{end}'
    catalogue = datasets.load(write(place, {**CSV, "ratings.csv": text}), options)
    assert catalogue.ratings.window().rows() == ROWS
    [quarantine] = (options.data_dir / "quarantine").iterdir()
    last = len(text.rstrip("\r\n").split(end))
    assert quarantine.read_text().splitlines()[1].startswith(f"{last},")


MOVIE_TEXTS: dict[str, str | bytes] = {
    "UTF-8 with its mark": "\ufeff" + MOVIES,
    "UTF-16": MOVIES.encode("utf-16"),
    "UTF-16 without its mark": MOVIES.encode("utf-16-le"),
    "CRLF": MOVIES.replace("\n", "\r\n"),
    "CR": MOVIES.replace("\n", "\r"),
    "semicolons": 'movieId;title;genres\n8;Plain, The (1995);Drama\n7;"Émile";Comedy|Film-Noir\n',
    "tabs": "movieId\ttitle\tgenres\n8\tPlain, The (1995)\tDrama\n7\tÉmile\tComedy|Film-Noir\n",
    "sep=": 'sep=;\r\nmovieId;title;genres\r\n8;Plain, The (1995);Drama\r\n7;"Émile";Comedy|Film-Noir\r\n',
    "another order, other names, further columns": (
        'genre,x,Movie_ID,Movie Title,\nDrama,"1\n2",8,"Plain, The (1995)",\nComedy|Film-Noir,,7,Émile,\n'
    ),
    "all quoted": '"movieId","title","genres"\n"8","Plain, The (1995)","Drama"\n"7","Émile","Comedy|Film-Noir"\n',
    "empty lines": MOVIES.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("name", MOVIE_TEXTS)
def test_movies_as_people_save_them(place: Path, options: Options, name: str) -> None:
    assert_loads(write(place, {**CSV, "movies.csv": MOVIE_TEXTS[name]}), options)


@pytest.mark.parametrize(
    "title",
    [
        "1984",
        "007",
        "3.10",
        "NaN",
        "null",
        "true",
        "['A', 'B']",
        '{"a": 1}',
        'Say "Hi"',
        " A ",
        "\u0662\u0660\u0660\u0661 (\u0662\u0660\u0660\u0661)",
        "A\tB",
        "\U0001d49c",
    ],
)
def test_titles_are_unchanged(place: Path, options: Options, title: str) -> None:
    quotes = title.replace('"', '""')
    for movies in (
        f'movieId,title,genres\n7,"{quotes}",Film Noir|Sci-Fi\n',
        f"movieId;title;genres\n7;{title};Film Noir|Sci-Fi\n",
    ):
        catalogue = datasets.load(write(place, {**CSV, "movies.csv": movies}), options)
        assert catalogue.movies.rows() == [(7, title, None, "Film Noir|Sci-Fi")]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("86400", "2005-04-02 23:53:47", "expected timestamp to be Unix seconds from 1970 to 9999"),
        ("2005-04-02 23:53:47", "86400", "expected timestamp to be written YYYY-MM-DD hh:mm:ss, as in the rows before"),
        ("2005-04-02 23:53:47", "2005-02-30 00:00:00", "expected timestamp to be written YYYY-MM-DD hh:mm:ss"),
    ],
)
def test_the_first_timestamp_says_how_all_are_written(
    place: Path, tmp_path: Path, first: str, second: str, reason: str
) -> None:
    said: list[str] = []
    text = f"{HEADER}1,7,4.0,{first}\n1,8,4.0,{second}\n"
    catalogue = datasets.load(
        write(place, {**CSV, "ratings.csv": text}), Options(tmp_path / "d", 0.5, report=said.append)
    )
    assert catalogue.ratings.window()["movieId"].to_list() == [7]
    assert f"line 3: {reason}" in said[0]


HEADER = "userId,movieId,rating,timestamp\n"
REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "no header": ("ratings.csv", "1,7,4.0,86400\n", r"line 1: expected the header userId,movieId,rating,timestamp"),
    "spaces between columns": ("ratings.csv", RATINGS.replace(",", " "), "line 1: expected the header"),
    "a column is missing": ("ratings.csv", "userId,movieId,rating\n1,7,4.0\n", "line 1: expected the header"),
    "a column comes twice": ("ratings.csv", "userId,movieId,itemId,rating,timestamp\n", "line 1: expected the header"),
    "a line before the header": ("ratings.csv", "My ratings\n" + RATINGS, "line 1: expected the header"),
    "nothing": ("ratings.csv", "", "line 1: expected the header"),
    "a spreadsheet": ("ratings.csv", b"PK\x03\x04" + bytes(range(256)), "line 1: expected the header"),
    "another separator in the rows": (
        "ratings.csv", HEADER + RATINGS.partition("\n")[2].replace(",", ";"),
        "none of 3 rows is a rating: line 2: expected 4 fields, found 1",
    ),
    "another number of columns": (
        "ratings.csv", HEADER.strip() + ",x\n1,7,4.0,86400\n", "none of 1 rows .*: line 2: expected 5 fields, found 4"
    ),
    "milliseconds": ("ratings.csv", HEADER + "1,7,4.0,1420070400000\n", "none of 1 .*: line 2: expected timestamp"),
    "days": ("ratings.csv", HEADER + "1,7,4.0,2015-01-01\n", "none of 1 .*: line 2: expected timestamp"),
    "times of another zone": (
        "ratings.csv", HEADER + "1,7,4.0,2015-01-01 00:00:00+09:00\n", "none of 1 .*: line 2: expected timestamp"
    ),
    "no such day": ("ratings.csv", HEADER + "1,7,4.0,2015-02-30 00:00:00\n", "none of 1 .*: line 2: expected timestamp"),
    "rounded times": ("ratings.csv", HEADER + "1,7,4.0,1.42E+09\n", "none of 1 .*: line 2: expected timestamp"),
    "Arabic digits": ("ratings.csv", HEADER + "\u0661,\u0667,\u0664,\u0668\u0666\u0664\u0660\u0660\n", "none of 1 .*: line 2: expected userId"),
    "full-width digits": ("ratings.csv", HEADER + "\uff11,\uff17,\uff14,\uff18\uff16\n", "none of 1 .*: line 2: expected userId"),
    "no whole numbers": ("ratings.csv", HEADER + "1.2,7,4.0,5\n", "none of 1 .*: line 2: expected userId"),
    "ratings a little off": ("ratings.csv", HEADER + "1,7,3.50000001,5\n", "none of 1 .*: line 2: expected rating"),
    "zeros of a disk": ("ratings.csv", RATINGS + "\0" * 70_000, "line 5: expected one rating, found more than 65,536 bytes"),
    "two kinds of line ends": (
        "ratings.csv", RATINGS + RATINGS.partition("\n")[2].replace("\n", "\r"), "line 5: expected one rating, found 42"
    ),
    "half of a character": ("ratings.csv", RATINGS.encode("utf-16")[:-1], "line 4: expected text in UTF-16-LE"),
    "a comma without quotes": ("movies.csv", "movieId,title,genres\n8,A,Drama\n7,A, with comma,Drama\n", "line 3: expected 3 fields"),
    "a comma and no genres": ("movies.csv", "movieId,title,genres\n8,A,Drama\n7,A, with comma\n", "line 3: expected genres"),
    "a quote that ends in another line": ("movies.csv", 'movieId,title,genres\n7,"A,Drama\n8,B",Drama\n', "line 2: expected title"),
    "text after a quote": ("movies.csv", 'movieId,title,genres\n7,"A" B,Drama\n', "line 2: expected CSV"),
    "an escape of another kind": ("movies.csv", 'movieId,title,genres\n7,"A \\"B\\" C",Drama\n', "line 2: expected CSV"),
    "Latin-1": ("movies.csv", MOVIES.encode("latin-1"), "line 3: expected text in UTF-8, found the bytes c9: save"),
    "no titles": ("movies.csv", "movieId,genres\n7,Drama\n", "line 1: expected the header movieId,title,genres"),
    "an empty title": ("movies.csv", "movieId,title,genres\n7,,Drama\n", "line 2: expected title"),
    "empty genres": ("movies.csv", "movieId,title,genres\n7,A,\n", "line 2: expected genres"),
    "a control character": ("movies.csv", "movieId,title,genres\n7,A\0B,Drama\n", "line 2: expected title"),
    "Arabic digits of a movie": ("movies.csv", "movieId,title,genres\n\u0667,A,Drama\n", "line 2: expected movieId"),
    "a movie's number with a fraction": ("movies.csv", "movieId,title,genres\n7.0,A,Drama\n", "line 2: expected movieId"),
    "a movie's number that is too large": ("movies.csv", f"movieId,title,genres\n{2**31},A,Drama\n", "line 2: expected movieId"),
    "a field without an end": ("movies.csv", 'movieId,title,genres\n7,"' + "x" * 200_000, "line 2: expected CSV"),
    "a header without an end": ("movies.csv", "x" * 200_000, "line 1: expected the header"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_texts_are_refused_with_their_line(place: Path, options: Options, name: str) -> None:
    file, content, message = REFUSED[name]
    with pytest.raises(DamagedDatasetError, match=message) as caught:
        datasets.load(write(place, {**CSV, file: content}), Options(options.data_dir, 1, report=pytest.fail))
    assert str(caught.value).startswith(f"{place}/{file}")
    assert "\n" not in str(caught.value)


OLD_REFUSED: dict[str, tuple[dict[str, str], str, str | bytes, str]] = {
    "no ratings": (DAT, "ratings.dat", "", "is empty"),
    "empty lines": (HUNDRED_K, "u.data", "\n\n", "is empty"),
    "no movies": (DAT, "movies.dat", "", "is empty"),
    "no items": (HUNDRED_K, "u.item", "", "is empty"),
    "no genres": (HUNDRED_K, "u.genre", "", "is empty"),
    "commas": (DAT, "ratings.dat", "1,7,4.0,86400\n", "none of 1 .*: line 1: expected 4 fields, found 1"),
    "commas and colons": (DAT, "ratings.dat", "1::7,8::4.0::86400\n", "none of 1 .*: line 1: expected movieId"),
    "tabs and colons": (DAT, "ratings.dat", "1\t2::7::4.0::86400\n", "none of 1 .*: line 1: expected userId"),
    "one colon": (DAT, "movies.dat", "8:Plain:Drama\n", "line 1: expected 3 fields"),
    "a title with colons": (DAT, "movies.dat", "7::A::B::Drama\n", "line 1: expected 3 fields"),
    "UTF-8 with a damaged letter": (DAT, "movies.dat", "7::Émile É::Drama\n".encode()[:-9] + b"::X\n", "line 1: expected text in UTF-8"),
    "control characters of Latin-1": (DAT, "movies.dat", b"7::\x93A\x94::Drama\n", "line 1: expected text in UTF-8"),
    "spaces": (HUNDRED_K, "u.data", "1 7 4.0 86400\n", "none of 1 .*: line 1: expected 4 fields"),
    "a genre too many": (HUNDRED_K, "u.item", "7|A||||0|1|0|1|0\n", "line 1: expected 9 fields"),
    "a flag of another kind": (HUNDRED_K, "u.item", "7|A||||0|1|0|2\n", "line 1: expected each genre to be 0 or 1"),
    "genres out of order": (HUNDRED_K, "u.genre", "unknown|0\nComedy|2\n", "line 2: expected a genre and the number 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_REFUSED)
def test_bad_texts_of_older_releases_are_refused(place: Path, options: Options, name: str) -> None:
    files, file, content, message = OLD_REFUSED[name]
    with pytest.raises(DamagedDatasetError, match=message) as caught:
        datasets.load(write(place, {**files, file: content}), options)
    assert str(caught.value).startswith(f"{place}/{file}")


MISSING: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "has no ratings.csv: a dataset is a folder with"),
    "compressed": ({"ratings.csv.gz": "", "movies.csv": MOVIES}, "has no ratings.csv but ratings.csv.gz, which has to be"),
    "no genres": ({name: HUNDRED_K[name] for name in ("u.data", "u.item")}, "has no u.genre"),
    "two releases": ({**CSV, **DAT}, "has ratings.csv and ratings.dat, each of which could be the ratings"),
    "two names": ({**CSV, "rating.csv": RATINGS}, r"has 2 ratings.csv \(rating.csv, ratings.csv\)"),
    "two nested": ({f"{a}/{name}": text for a in "ab" for name, text in CSV.items()}, "has 2 ratings.csv"),
    "too deep": ({f"a/b/{name}": text for name, text in CSV.items()}, "has no ratings.csv"),
    "a folder of that name": ({"ratings.csv/part-0": RATINGS, "movies.csv": MOVIES}, "has no ratings.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_files_that_are_missing_or_too_many(place: Path, options: Options, name: str) -> None:
    files, message = MISSING[name]
    place.mkdir()
    with pytest.raises(StartupError, match=message) as caught:
        datasets.load(write(place, {**files}), options)
    assert caught.value.exit_code == 2
    with pytest.raises(StartupError, match=message.replace("is a folder", "is a zip of one folder")):
        datasets.load(pack(place / "ml.zip", {**files}), options)


def test_a_dataset_at_the_top_of_a_folder_is_the_one_that_is_meant(place: Path, options: Options) -> None:
    assert_loads(write(place, {**CSV, **nested({**CSV}, "old/"), "new/ratings.dat": "x"}), options)


@pytest.mark.parametrize("name", ["ratings.csv", "ml.tar.gz", "ml.csv.gz"])
def test_a_single_file_is_not_a_dataset(place: Path, options: Options, name: str) -> None:
    write(place, {name: RATINGS})
    with pytest.raises(StartupError, match="is a single file: pass the folder"):
        datasets.load(str(place / name), options)


def test_a_name_that_is_too_long(options: Options) -> None:
    with pytest.raises(StartupError, match=r"cannot read xxx.*: File name too long"):
        datasets.load("x" * 300, options)


def test_a_folder_that_is_called_like_a_download(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(place / "ml-25m", {**CSV})
    monkeypatch.chdir(place)
    said: list[str] = []
    with pytest.raises(StartupError):
        datasets.load("ml-25m", Options(tmp_path / "data", downloads="http://127.0.0.1:1", report=said.append))
    assert said[0] == "ml-25m is the name of a dataset; to load the path with this name, write ./ml-25m"


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 10))])
def test_files_damaged_at_many_places(place: Path, options: Options, seed: int) -> None:
    # Nothing can be kept below a file: writing the binary cache takes most of the time.
    options.data_dir.mkdir()
    (options.data_dir / "cache").touch()
    chance = random.Random(seed)
    everything = [*LAYOUTS.values()]
    everything += [{**CSV, "ratings.csv": text} for text in TEXTS.values()]
    everything += [{**CSV, "movies.csv": text} for text in MOVIE_TEXTS.values()]
    for _ in range(150):
        shutil.rmtree(place, ignore_errors=True)
        files = chance.choice(everything)
        name = chance.choice(list(files))
        dataset = write(place, {**files, name: damaged(as_bytes(files[name]), chance)})
        with suppress(StartupError):
            assert datasets.load(dataset, options).summary()


def as_bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


@pytest.mark.parametrize("piece", [1, 30, 1 << 20])
@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if isinstance(text, str)])
def test_pieces_of_any_size_give_the_same(piece: int, name: str) -> None:
    content = str(TEXTS[name]).encode()
    written = ratings_file.recognize(content, "here")
    ratings, damage = ratings_file.read(io.BytesIO(content), "here", written, piece=piece)
    assert damage.rows.is_empty()
    assert sorted(ratings.select("movieId", "rating", "timestamp", "userId").rows()) == sorted(ROWS)


@pytest.mark.parametrize("name", ["movies.csv", "ratings.csv"])
def test_a_file_that_is_read_as_a_whole_has_a_limit(place: Path, options: Options, name: str) -> None:
    whole = "userId,movieId,rating,timestamp\r".encode("utf-16") if name == "ratings.csv" else MOVIES.encode()
    write(place, {**CSV, name: whole})
    with (place / name).open("r+b") as file:
        file.truncate((1 << 26) + 1)
    with pytest.raises(DamagedDatasetError, match=rf"{name} has more than 64 MiB"):
        datasets.load(str(place), options)
