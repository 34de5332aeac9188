"""The parts of an evaluation that read all ratings, done by Apache Spark.

Only the ratings of the users who are evaluated are collected, and these users are bounded in number.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_movielens.ranking.dataframes import checked_ratings, collected
from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.recommending.evaluation.protocols import (
    MOST_USERS,
    NO_RATINGS,
    SAMPLING,
    WINDOW_SECONDS,
    WINDOWS,
    Cut,
    fewest_likes,
    nothing_before,
)
from airflow_movielens.recommending.spark import latest_on_spark, on_executors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl
    from pyspark.sql import Column, DataFrame


@contextmanager
def all_on_spark(ratings: DataFrame) -> Iterator[DataFrame]:
    """Yield all ratings of a dataframe of PySpark, checked; its engine keeps them until the block ends.

    Raises:
        ValueError: There are no ratings, a column is missing, or a value is missing or wrong.
    """
    import narwhals as nw

    with on_executors():
        checked = checked_ratings(ratings)
        if checked.implementation.is_polars():
            raise ValueError(NO_RATINGS)
        rows = nw.to_native(checked).selectExpr(
            "int(userId) userId", "int(movieId) movieId", "float(rating) rating", "timestamp"
        )
        everything = rows.persist()
        try:
            yield everything
        finally:
            everything.unpersist()


@contextmanager
def cut_on_spark(ratings: DataFrame, second: int) -> Iterator[Cut]:
    """Cut ratings as `Cut.of` does; Spark keeps those before the cut until the block ends.

    Raises:
        ValueError: No rating is before the cut.
    """
    before = latest_on_spark(ratings.where(f"timestamp < {second}")).persist()
    try:
        if before.isEmpty():
            raise ValueError(nothing_before(second))
        yield Cut(second, ratings, before)
    finally:
        before.unpersist()


def with_evaluated_users(cut: Cut, catalogue: pl.Series, known_likes: Iterable[int]) -> Cut:
    """Return a cut with only the ratings of users who are evaluated, collected.

    `new_users` and `existing_users` find the same users in it as in all ratings.

    Args:
        cut: The cut of ratings of PySpark.
        catalogue: The movies whose likes count.
        known_likes: How many likes of new users are known.
    """
    import narwhals as nw
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    ratings: DataFrame = cut.ratings
    session = ratings.sparkSession
    movies = sf.broadcast(session.createDataFrame([(movie,) for movie in catalogue.to_list()], "movieId int"))
    rows = ratings.withColumn("first", sf.min("timestamp").over(Window.partitionBy("userId")))
    users = [*_new(rows, movies, cut.second, known_likes), _existing(rows, movies, cut.second)]
    # Collected, so that their likes are counted once.
    evaluated = sorted({user for found in users for (user,) in found.collect()})
    chosen = sf.broadcast(session.createDataFrame([(user,) for user in evaluated], "userId int"))
    found = collected(nw.from_native(ratings.join(chosen, "userId", "left_semi")))
    return Cut(cut.second, found.select(RATINGS.column_names).cast(RATINGS.polars_schema()), cut.before)


def _new(rows: DataFrame, movies: DataFrame, second: int, known_likes: Iterable[int]) -> Iterator[DataFrame]:
    """Yield the new users with enough likes, for each number of likes that is enough."""
    from pyspark.sql import functions as sf

    liked = _likes(rows.where(sf.col("first") >= second), movies, "userId")
    likes = liked.groupBy("userId").agg(sf.count("*").alias("likes"))
    for fewest in sorted({fewest_likes(known) for known in known_likes}):
        yield likes.where(sf.col("likes") >= fewest).orderBy(_place()).limit(MOST_USERS).select("userId")


def _existing(rows: DataFrame, movies: DataFrame, second: int) -> DataFrame:
    """Return the users who have rated before one of the windows, and like a movie in it that they had not rated."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    window = sf.floor((sf.col("timestamp") - second) / WINDOW_SECONDS)
    start = sf.col("window") * WINDOW_SECONDS + second
    first_of_movie = sf.min("timestamp").over(Window.partitionBy("userId", "movieId"))
    inside = rows.select("*", first_of_movie.alias("first_of_movie"), window.alias("window")).where(
        sf.col("window").between(0, WINDOWS - 1) & (sf.col("first") < start) & (sf.col("first_of_movie") >= start)
    )
    users = _likes(inside, movies, "window", "userId").select("window", "userId").distinct()
    place = sf.row_number().over(Window.partitionBy("window").orderBy(_place()))
    return users.withColumn("place", place).where(sf.col("place") <= MOST_USERS).select("userId").distinct()


def _likes(rows: DataFrame, movies: DataFrame, *keys: str) -> DataFrame:
    """Return the movies of the catalogue whose latest rating is a like, of each user, and maybe in each window."""
    from pyspark.sql import functions as sf

    latest = rows.groupBy(*keys, "movieId").agg(sf.max(sf.struct("timestamp", "rating")).alias("rated"))
    return latest.where(sf.col("rated.rating") >= LIKE).join(movies, "movieId")


def _place() -> Column:
    """Return the place of a user in the order in which users are sampled."""
    from pyspark.sql import functions as sf

    factor, mask = SAMPLING
    return (sf.col("userId").cast("long") * factor).bitwiseAND(mask)
