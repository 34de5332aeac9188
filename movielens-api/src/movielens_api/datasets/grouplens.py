"""GroupLens' format: `ratings.csv` and `movies.csv` as in the MovieLens downloads."""

import polars as pl

from movielens_api.catalogue import Catalogue
from movielens_api.datasets import ratings_file
from movielens_api.datasets.csv_file import read_csv
from movielens_api.datasets.damage import Damage
from movielens_api.datasets.rules import Rule
from movielens_api.datasets.source import MOVIES, RATINGS, Source
from movielens_api.errors import DamagedDatasetError

MOVIES_FILE_SCHEMA: dict[str, type[pl.DataType]] = {"movieId": pl.Int32, "title": pl.String, "genres": pl.String}
MOVIE_RULES = (
    Rule("movieId", "a whole number from 1", pl.col("movieId") >= 1),
    Rule("title", "a title", pl.col("title").is_not_null()),
    Rule("genres", "genres separated by |", pl.col("genres").is_not_null()),
    Rule("movieId", "one line per movie", pl.col("movieId").is_first_distinct()),
)
# As the sample was made: only a year of four digits at the very end counts, so "Stranger Things" has none.
TITLE_AND_YEAR = r"^(?<title>.*) \((?<year>\d{4})\)\s*$"


def load(source: Source, name: str, max_damaged: float) -> tuple[Catalogue, Damage]:
    """Load ratings and movies, and the damaged rows of the ratings.

    Args:
        source: the files.
        name: what the dataset is called in messages.
        max_damaged: the share of damaged ratings up to which the rest is loaded.

    Raises:
        StartupError: a file is missing or may not be read.
        DamagedDatasetError: a file breaks the format; the message names file, line and what was expected.
    """
    # The small file first: what is wrong with it shows at once.
    with source.open(MOVIES) as file:
        movies = read_csv(file.read(), source.place(MOVIES), MOVIES_FILE_SCHEMA, MOVIE_RULES)
    with source.open(RATINGS) as file:
        ratings, damage = ratings_file.read(file, source.place(RATINGS))
    damage.refuse_above(max_damaged)
    movies = movies.with_columns(**_title_and_year())
    try:
        return Catalogue(name, ratings, movies), damage
    except ValueError:
        ratings, damage = ratings_file.without_repeats(ratings, damage)
    damage.refuse_above(max_damaged)
    try:
        return Catalogue(name, ratings, movies), damage
    except ValueError as error:
        raise DamagedDatasetError(f"{source.place(RATINGS)}: {error}") from error


def _title_and_year() -> dict[str, pl.Expr]:
    parts = pl.col("title").str.extract_groups(TITLE_AND_YEAR)
    return {
        "title": pl.coalesce(parts.struct.field("title"), "title"),
        "year": parts.struct.field("year").cast(pl.Int16),
    }
