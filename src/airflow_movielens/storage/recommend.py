"""Recommendations to all users of files of ratings, local or on object storage, by this process or by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.recommending.manifest import Recommendations, RecommendationsManifest
from airflow_movielens.storage.files import local_copies, write_file
from airflow_movielens.storage.input_facts import ratings_files, ratings_files_on_spark

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.ranking.manifest import InputFile, RatingsFile
    from airflow_movielens.ratings.task_run import TaskRun
    from airflow_movielens.recommending import Model

RATINGS_AT_ONCE = 2_000_000
# The recommendations to a user take as much memory as so many ratings.
_RATINGS_OF_A_USER = 200


def recommend_to_all(
    files: list[str],
    model: Model,
    version: str,
    output: str,
    n: int,
    *,
    task: TaskRun | None = None,
    at_once: int = RATINGS_AT_ONCE,
) -> RecommendationsManifest:
    """Recommend movies to all users of files of ratings, and write the recommendations with their reasons.

    The users are divided into batches, so that memory use does not grow with their number. The ratings are read again
    for each batch.

    Args:
        files: The paths or URLs of the files.
        model: The model.
        version: Its version.
        output: The path or URL of the file to write, which appears whole or not at all.
        n: How many movies to recommend to each user.
        task: The task instance of Airflow that recommends, for the manifest; None if none does.
        at_once: How many ratings a batch may have; more if a single user has more.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as ratings.
        FatalError: Access is denied.
    """
    import polars as pl

    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import RATINGS

    with local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        inputs = ratings_files(files, paths, scans)
        ratings = pl.concat(scans)
        users = ratings.group_by("userId").len("ratings").sort("userId").collect()

        def batches() -> Iterator[pl.DataFrame]:
            for first, last in _ranges(users, at_once):
                rated = ratings.filter(pl.col("userId").is_between(first, last)).collect()
                yield model.recommend(rated, n, explain=True)

        return _written(batches(), model, output, version=version, n=n, inputs=inputs, task=task)


def recommend_to_all_on_spark(
    files: list[str],
    model: Model,
    version: str,
    output: str,
    n: int,
    *,
    conn_id: str | None,
    name: str,
    task: TaskRun | None = None,
) -> RecommendationsManifest:
    """Recommend movies as `recommend_to_all`, to all users of files of ratings that Spark reads.

    Args:
        files: The paths or URLs of the files; see `spark_url`.
        model: The model.
        version: Its version.
        output: The path or URL of the file to write, which appears whole or not at all.
        n: How many movies to recommend to each user.
        conn_id: The Airflow connection of the cluster; see `spark_session`.
        name: The name that Spark shows for the session.
        task: As for `recommend_to_all`.

    Raises:
        ValueError: Spark cannot read a file, or a value is missing or wrong.
        FatalError: PySpark or Java is not installed, the connection is not one of Spark, or access is denied.
    """
    from airflow_movielens.ranking.spark import clear_errors, ratings_on_spark
    from airflow_movielens.recommending.spark import recommend_on_spark
    from airflow_movielens.storage.spark import spark_session, spark_url

    with spark_session(conn_id, name) as session, clear_errors():
        ratings = ratings_on_spark(session, [spark_url(file) for file in files])
        inputs = ratings_files_on_spark(files, ratings)
        batches = recommend_on_spark(model, ratings, n)
        return _written(batches, model, output, version=version, n=n, inputs=inputs, task=task)


def _written(
    batches: Iterator[pl.DataFrame],
    model: Model,
    output: str,
    *,
    version: str,
    n: int,
    inputs: list[RatingsFile],
    task: TaskRun | None,
) -> RecommendationsManifest:
    """Write recommendations, of which each batch has other users."""
    from polars.io.plugins import register_io_source

    from airflow_movielens.ratings.schema import RATINGS

    users = rows = 0

    def counted(
        columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        nonlocal users, rows
        for batch in batches:
            users += batch["userId"].n_unique()
            rows += len(batch)
            yield batch if columns is None else batch.select(columns)

    def manifest_of(written: InputFile) -> RecommendationsManifest:
        return RecommendationsManifest.of(written, Recommendations(version, n, users, rows, inputs, task))

    schema = model.recommend(RATINGS.empty(), n, explain=True).schema
    return write_file(register_io_source(counted, schema=schema), output, manifest_of)


def _ranges(users: pl.DataFrame, at_once: int) -> list[tuple[int, int]]:
    """Return the first and the last user of each batch.

    Args:
        users: userId and the number of ratings, by userId.
        task: The task instance of Airflow that recommends, for the manifest; None if none does.
        at_once: How many ratings a batch may have.
    """
    import polars as pl

    size = pl.col("ratings") + _RATINGS_OF_A_USER
    batch = users.with_columns(batch=(size.cum_sum() - 1) // at_once).group_by("batch", maintain_order=True)
    return batch.agg(first=pl.col("userId").first(), last=pl.col("userId").last()).select("first", "last").rows()
