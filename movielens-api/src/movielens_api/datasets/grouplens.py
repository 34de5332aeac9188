"""A folder in GroupLens' format: `ratings.csv` and `movies.csv` as in the MovieLens downloads."""

from pathlib import Path

import polars as pl

from movielens_api.catalogue import Catalogue
from movielens_api.datasets.csv_file import Rule, read_csv
from movielens_api.errors import DamagedDatasetError, StartupError
from movielens_api.ratings_table import SCHEMA

YEAR_10000 = 253_402_300_800
RATING_RULES = (
    Rule("userId", "a whole number from 1", pl.col("userId") >= 1),
    Rule("movieId", "a whole number from 1", pl.col("movieId") >= 1),
    Rule(
        "rating", "0.5 to 5.0 in steps of 0.5", pl.col("rating").is_between(0.5, 5.0) & (pl.col("rating") * 2 % 1 == 0)
    ),
    Rule("timestamp", "Unix seconds from 1970 to 9999", pl.col("timestamp").is_between(0, YEAR_10000, closed="left")),
)
MOVIES_FILE_SCHEMA: dict[str, type[pl.DataType]] = {"movieId": pl.Int32, "title": pl.String, "genres": pl.String}
MOVIE_RULES = (
    Rule("movieId", "a whole number from 1", pl.col("movieId") >= 1),
    Rule("title", "a title", pl.col("title").is_not_null()),
    Rule("genres", "genres separated by |", pl.col("genres").is_not_null()),
    Rule("movieId", "one line per movie", pl.col("movieId").is_first_distinct()),
)
# As the sample was made: only a year of four digits at the very end counts, so "Stranger Things" has none.
TITLE_AND_YEAR = r"^(?<title>.*) \((?<year>\d{4})\)\s*$"


def load(folder: Path) -> Catalogue:
    """Load the ratings and movies of a folder.

    Raises:
        StartupError: a file is missing or may not be read.
        DamagedDatasetError: a file breaks the format; the message names file, line and what was expected.
    """
    ratings = read_csv(_existing(folder, "ratings.csv"), SCHEMA, RATING_RULES)
    movies = read_csv(_existing(folder, "movies.csv"), MOVIES_FILE_SCHEMA, MOVIE_RULES)
    try:
        return Catalogue(str(folder), ratings=ratings, movies=movies.with_columns(**_title_and_year()))
    except ValueError as error:
        raise DamagedDatasetError(f"{folder / 'ratings.csv'}: {error}") from error


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise StartupError(f"{folder} has no {name}: a dataset is a folder with ratings.csv and movies.csv")
    return path


def _title_and_year() -> dict[str, pl.Expr]:
    parts = pl.col("title").str.extract_groups(TITLE_AND_YEAR)
    return {
        "title": pl.coalesce(parts.struct.field("title"), "title"),
        "year": parts.struct.field("year").cast(pl.Int16),
    }
