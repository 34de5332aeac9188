"""GroupLens' formats: ratings and movies as in the MovieLens releases, old and new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from movielens_api.datasets import layouts, movies_file, ratings_file, text
from movielens_api.errors import DamagedDatasetError
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from movielens_api.datasets.layouts import Files
    from movielens_api.datasets.quarantine import Quarantine
    from movielens_api.datasets.ratings_file import RatingsForm
    from movielens_api.datasets.source import Source

SEPARATORS = {layouts.DAT: "::", layouts.HUNDRED_K: "\t"}
# As the sample was made: only a year of four digits at the very end counts, so "Stranger Things" has none.
TITLE_AND_YEAR = r"^(?<title>.*\S.*) \((?<year>[0-9]{4})\)\s*$"


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
    # The small file first: what is wrong with it shows at once.
    movies = _movies(source, files).with_columns(**_title_and_year())
    written = _ratings_form(source, files)
    place = source.place(files.ratings)
    with source.open(files.ratings) as file:
        ratings, quarantined = ratings_file.read(file, place, written)
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
    if files.layout == layouts.CSV:
        return movies_file.read_csv(_text(source, files.movies), place)
    # GroupLens wrote its first releases in Latin-1.
    content = _text(source, files.movies, latin1=True)
    if files.genres is None:
        return movies_file.read_dat(content, place)
    genres = movies_file.read_genres(_text(source, files.genres), source.place(files.genres))
    return movies_file.read_items(content, genres, place)


def _text(source: Source, name: str, *, latin1: bool = False) -> str:
    with source.open(name) as file:
        return text.decode(file.read(), source.place(name), latin1=latin1)


def _ratings_form(source: Source, files: Files) -> RatingsForm:
    with source.open(files.ratings) as file:
        head = file.read(ratings_file.HEAD)
    return ratings_file.recognize(head, source.place(files.ratings), SEPARATORS.get(files.layout))


def _title_and_year() -> dict[str, pl.Expr]:
    parts = pl.col("title").str.extract_groups(TITLE_AND_YEAR)
    return {
        "title": pl.coalesce(parts.struct.field("title"), "title"),
        "year": parts.struct.field("year").cast(pl.Int16),
    }
