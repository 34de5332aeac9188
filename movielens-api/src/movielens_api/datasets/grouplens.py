"""GroupLens' formats: which files of a folder or zip are the dataset, and how they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from movielens_api.datasets import movies_file, ratings_file, text_format
from movielens_api.errors import DamagedDatasetError, StartupError
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from movielens_api.datasets.quarantine import Quarantine
    from movielens_api.datasets.ratings_file import RatingsForm
    from movielens_api.datasets.source import Source

_COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".7z", ".zip", ".xlsx", ".parquet")
_EXPECTED = "ratings.csv and movies.csv, or ratings.dat and movies.dat, or u.data, u.item and u.genre"
# As the sample was made: only a year of four digits at the very end counts, so "Stranger Things" has none.
_TITLE_AND_YEAR = r"^(?<title>.*\S.*) \((?<year>[0-9]{4})\)\s*$"


@dataclass(frozen=True)
class Layout:
    """The file names of a release.

    Attributes:
        ratings: The names of the file with the ratings. The first one is that of the release.
        movies: The names of the file with the movies.
        genres: The names of the file that lists the genres, if there is one.
    """

    ratings: tuple[str, ...]
    movies: tuple[str, ...]
    genres: tuple[str, ...] = ()


# rating.csv and movie.csv are ml-20m at Kaggle.
CSV = Layout(("ratings.csv", "rating.csv"), ("movies.csv", "movie.csv"))
# ml-1m, ml-10m
_DAT = Layout(("ratings.dat",), ("movies.dat",))
# ml-100k
_HUNDRED_K = Layout(("u.data",), ("u.item",), ("u.genre",))
LAYOUTS = (CSV, _DAT, _HUNDRED_K)
_SEPARATORS = {_DAT: "::", _HUNDRED_K: "\t"}


@dataclass(frozen=True)
class Files:
    """The files of a dataset.

    Attributes:
        layout: The layout of the files.
        ratings: The path of the ratings in their source.
        movies: The path of the movies.
        genres: The path of the genres, if there is one.
    """

    layout: Layout
    ratings: str
    movies: str
    genres: str | None = None

    @property
    def names(self) -> list[str]:
        """The paths of all files."""
        return [name for name in (self.ratings, self.movies, self.genres) if name]


def find(source: Source) -> Files:
    """Find the files of a dataset, ignoring case.

    Raises:
        StartupError: A file is missing or ambiguous.
        DamagedDatasetError: The zip cannot be unpacked.
    """
    names = _names(source)
    layouts = [layout for layout in LAYOUTS if _called(names, layout.ratings)]
    if not layouts:
        raise StartupError(_missing(source, "ratings.csv", names))
    if len(layouts) > 1:
        found = " and ".join(_called(names, layout.ratings)[0] for layout in layouts)
        raise StartupError(f"{source.path} has {found}, each of which could be the ratings: keep only one of them")
    [layout] = layouts
    genres = _one(source, names, layout.genres) if layout.genres else None
    return Files(layout, _one(source, names, layout.ratings), _one(source, names, layout.movies), genres)


def _names(source: Source) -> list[str]:
    top = _meant(source.names(nested=False))
    # Other files in subfolders do not belong to the files at the top.
    if source.kind == "folder" and any(_called(top, layout.ratings) for layout in LAYOUTS):
        return top
    return top + _meant(source.names(nested=True))


def _meant(names: list[str]) -> list[str]:
    """Return the names without the files that macOS and editors add."""
    return [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]


def _called(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    return sorted(name for name in names if name.rpartition("/")[2].casefold() in wanted)


def _one(source: Source, names: list[str], wanted: tuple[str, ...]) -> str:
    found = _called(names, wanted)
    if not found:
        raise StartupError(_missing(source, wanted[0], names))
    if len(found) > 1:
        raise StartupError(f"{source.path} has {len(found)} {wanted[0]} ({', '.join(found)}): {_expected(source)}")
    return found[0]


def _missing(source: Source, wanted: str, names: list[str]) -> str:
    # Such as ratings.csv.gz for ratings.csv.
    packed = _called(names, tuple(wanted + ending for ending in _COMPRESSED))
    hint = f" but {packed[0]}, which has to be unpacked first" if packed else ""
    return f"{source.path} has no {wanted}{hint}: {_expected(source)}"


def _expected(source: Source) -> str:
    where = "a zip of one folder with" if source.kind == "zip" else "a folder with"
    return f"a dataset is {where} {_EXPECTED}"


def load(source: Source, files: Files, name: str, max_damaged: float) -> tuple[Catalogue, Quarantine]:
    """Load ratings and movies, and the damaged rows of the ratings.

    Args:
        source: Where the files are.
        files: Which files to read.
        name: The name of the dataset in messages.
        max_damaged: The share of damaged ratings up to which the rest is loaded.

    Raises:
        StartupError: A file cannot be read.
        DamagedDatasetError: A file has the wrong format. The message names file, line and what was expected.
    """
    # The small file first, so that its errors are reported at once.
    movies = _movies(source, files).with_columns(**_title_and_year())
    written = _ratings_form(source, files)
    place = source.place(files.ratings)
    with source.open(files.ratings) as file:
        ratings, quarantined = ratings_file.read(file, place, written, max_damaged=max_damaged)
    quarantined.check_share(max_damaged)
    try:
        return Catalogue(name, ratings, movies), quarantined
    except ValueError:
        ratings, quarantined = ratings_file.without_repeats(ratings, quarantined, written.rows.first_line)
    quarantined.check_share(max_damaged)
    try:
        return Catalogue(name, ratings, movies), quarantined
    except ValueError as error:
        raise DamagedDatasetError(f"{place}: {error}") from error


def _movies(source: Source, files: Files) -> pl.DataFrame:
    place = source.place(files.movies)
    if files.layout == CSV:
        return movies_file.read_csv(_text(source, files.movies), place)
    # GroupLens wrote its first releases in Latin-1.
    content = _text(source, files.movies, latin1=True)
    if files.genres is None:
        return movies_file.read_dat(content, place)
    genres = movies_file.read_genres(_text(source, files.genres), source.place(files.genres))
    return movies_file.read_items(content, genres, place)


def _text(source: Source, name: str, *, latin1: bool = False) -> str:
    with source.open(name) as file:
        return text_format.read(file, source.place(name), latin1=latin1)


def _ratings_form(source: Source, files: Files) -> RatingsForm:
    with source.open(files.ratings) as file:
        head = file.read(ratings_file.HEAD)
    return ratings_file.recognize(head, source.place(files.ratings), _SEPARATORS.get(files.layout))


def _title_and_year() -> dict[str, pl.Expr]:
    parts = pl.col("title").str.extract_groups(_TITLE_AND_YEAR)
    return {
        "title": pl.coalesce(parts.struct.field("title"), "title"),
        "year": parts.struct.field("year").cast(pl.Int16),
    }
