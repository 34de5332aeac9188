"""The layouts of GroupLens' releases and common copies of them: which files are the ratings and the movies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from movielens_api.datasets.source import Source

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".7z", ".zip", ".xlsx", ".parquet")
EXPECTED = "ratings.csv and movies.csv, or ratings.dat and movies.dat, or u.data, u.item and u.genre"


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


# rating.csv and movie.csv: ml-20m at Kaggle.
CSV = Layout(("ratings.csv", "rating.csv"), ("movies.csv", "movie.csv"))
# ml-1m, ml-10m
DAT = Layout(("ratings.dat",), ("movies.dat",))
# ml-100k
HUNDRED_K = Layout(("u.data",), ("u.item",), ("u.genre",))
LAYOUTS = (CSV, DAT, HUNDRED_K)


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
    # What else is in a folder was not packed together with the files at its top.
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
    packed = _called(names, tuple(wanted + ending for ending in COMPRESSED))
    hint = f" but {packed[0]}, which has to be unpacked first" if packed else ""
    return f"{source.path} has no {wanted}{hint}: {_expected(source)}"


def _expected(source: Source) -> str:
    where = "a zip of one folder with" if source.kind == "zip" else "a folder with"
    return f"a dataset is {where} {EXPECTED}"
