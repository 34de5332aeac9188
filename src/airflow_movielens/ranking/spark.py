"""Files of ratings ranked by Apache Spark: the same ranking, for data that one machine cannot read in time."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_movielens.ranking.dataframes import checked_ratings, with_times_in_utc
from airflow_movielens.ranking.rank import file_ranking_of, statistics_of
from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.schema import RATINGS, find_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    from pyspark.sql import Column, DataFrame, SparkSession

    from airflow_movielens.ranking.options import RankingOptions

Numbers = tuple[int, int | None, int | None]
"""How many ratings there are, and the first and the last timestamp; None without ratings."""

# Wider than the columns are, so that a number too large is found, and files with different dtypes are read alike.
_TYPES = {"userId": "bigint", "movieId": "bigint", "rating": "double", "timestamp": "bigint"}
_TIMES = {"timestamp", "timestamp_ntz"}
# Spark reads the first object of a line and ignores what follows.
_ONE_OBJECT = r"^\s*\{[^{}]*\}\s*$"
_UNREAD_FILE = re.compile(r"error while reading file (.+?)\. ")
# Other causes, such as a connection that was lost, may not be the file's.
_CAUSES = re.compile(r"^Caused by: \S*(?:Spark|Parquet)\w+: (.*(?:\n(?!\t|Caused by: ).*)*)", re.MULTILINE)
_FOLDERS_NAME_NO_COLUMNS = {"recursiveFileLookup": True}


def rank_on_spark(
    ratings: DataFrame,
    options: RankingOptions,
    movies: pl.DataFrame | None = None,
    compare_to: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Rank movies with Spark; the memory of its driver is bounded by the number of movies.

    Args:
        ratings: The ratings; see `ratings_on_spark`.
        options: How to rank.
        movies: movieId, title, year and genres; None to rank without titles.
        compare_to: An earlier ranking; None for no comparison.

    Returns:
        The ranking, equal to that of `rank_large`.

    Raises:
        ValueError: Spark cannot read a file, or a value is missing or wrong.
    """
    import narwhals as nw

    with clear_errors():
        checked = checked_ratings(ratings).with_columns(nw.col("movieId").cast(nw.Int32))
        statistics = statistics_of(checked, options)
    return file_ranking_of(statistics, options, movies, compare_to)


def numbers_on_spark(ratings: DataFrame) -> dict[str, Numbers]:
    """Return the number of ratings in each file that has any, and their first and last timestamp."""
    from pyspark.sql import functions as sf

    stamps = sf.col("timestamp")
    rows = with_times_in_utc(ratings).groupBy("file").agg(sf.count("*"), sf.min(stamps), sf.max(stamps)).collect()
    return {unquote(file): (count, first, last) for file, count, first, last in rows}


def ratings_on_spark(session: SparkSession, files: Sequence[str]) -> DataFrame:
    """Return the ratings in files as a dataframe of Spark, lazily; values that are not numbers are null.

    Args:
        session: A Spark session.
        files: The files (Parquet, CSV, NDJSON), by URLs that every worker of the cluster can read; files of the same
            format have the same columns.

    Returns:
        The columns of ratings, and the URL of the file.

    Raises:
        ValueError: Spark cannot read a format, or a column is missing.
    """
    readers = {"parquet": _parquet, "csv": _csv, "ndjson": _ndjson}
    by_kind: dict[str, list[str]] = {}
    for file in files:
        by_kind.setdefault(FileFormat.of(file).kind, []).append(file)
    if arrays := by_kind.get("json"):
        raise ValueError(f"{arrays[0]} is a JSON array, which Spark cannot divide: write Parquet, NDJSON or CSV")
    # Spark takes paths for patterns.
    frames = [
        readers[kind](session, [re.sub(r"([\\{}\[\]*?])", r"\\\1", file) for file in paths])
        for kind, paths in by_kind.items()
    ]
    return reduce(type(frames[0]).unionByName, frames)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Name the file that Spark cannot read, and why: Spark's own message is a hundred lines of Java."""
    try:
        yield
    except Exception as error:
        file = _UNREAD_FILE.search(str(error))
        causes = _CAUSES.findall(str(error))
        if not file or not causes:
            raise
        raise ValueError(f"Spark cannot read {file[1]}: {' '.join(causes[-1].split())}") from error


def _parquet(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    found = dict(session.read.options(**_FOLDERS_NAME_NO_COLUMNS).parquet(*paths).dtypes)
    names = find_columns(found, RATINGS.column_names)
    types = {name: found[given] if found[given] in _TIMES else _TYPES[name] for name, given in names.items()}
    schema = ", ".join(f"`{given}` {types[name]}" for name, given in names.items())
    return _named(session.read.schema(schema).options(**_FOLDERS_NAME_NO_COLUMNS).parquet(*paths), names)


def _csv(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    # Checked: the header of each file, and the number of values in each row.
    strict = {"header": True, "enforceSchema": False, "columnPruning": False, "mode": "FAILFAST"}
    rows = session.read.options(**strict, **_FOLDERS_NAME_NO_COLUMNS).csv(list(paths))
    texts = _named(rows, find_columns(rows.columns, RATINGS.column_names))
    return texts.select(*(texts[name].try_cast(type_).alias(name) for name, type_ in _TYPES.items()), "file")


def _ndjson(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    from pyspark.sql import functions as sf

    lines = session.read.options(**_FOLDERS_NAME_NO_COLUMNS).text(list(paths)).where("trim(value) != ''")
    line: Column = sf.col("value")
    schema = ", ".join(f"{name} {type_}" for name, type_ in _TYPES.items())
    row = sf.when(line.rlike(_ONE_OBJECT), sf.from_json(line, schema))
    return lines.select(row.alias("row"), sf.input_file_name().alias("file")).select("row.*", "file")


def _named(rows: DataFrame, names: Mapping[str, str]) -> DataFrame:
    from pyspark.sql import functions as sf

    columns = [rows[given].alias(name) for name, given in names.items()]
    return rows.select(*columns, sf.input_file_name().alias("file"))
