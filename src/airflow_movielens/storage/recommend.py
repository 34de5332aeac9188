"""Recommendations to all users of files of ratings, local or on object storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.recommending.manifest import Recommendations, RecommendationsManifest
from airflow_movielens.storage.files import local_copies, write_file
from airflow_movielens.storage.input_facts import ratings_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.ranking.manifest import InputFile
    from airflow_movielens.recommending import Model

RATINGS_AT_ONCE = 2_000_000
# The recommendations to a user take as much memory as so many ratings.
_RATINGS_OF_A_USER = 200


def recommend_to_all(
    files: list[str], model: Model, version: str, output: str, n: int, *, at_once: int = RATINGS_AT_ONCE
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
        at_once: How many ratings a batch may have; more if a single user has more.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as ratings.
        FatalError: Access is denied.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import RATINGS

    with local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        inputs = ratings_files(files, paths, scans)
        ratings = pl.concat(scans)
        users = ratings.group_by("userId").len("ratings").sort("userId").collect()
        rows = 0

        def batches(
            columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _size: int | None
        ) -> Iterator[pl.DataFrame]:
            nonlocal rows
            for first, last in _ranges(users, at_once):
                rated = ratings.filter(pl.col("userId").is_between(first, last)).collect()
                recommended = model.recommend(rated, n, explain=True)
                rows += len(recommended)
                yield recommended if columns is None else recommended.select(columns)

        def manifest_of(written: InputFile) -> RecommendationsManifest:
            return RecommendationsManifest.of(written, Recommendations(version, n, len(users), rows, inputs))

        schema = model.recommend(RATINGS.empty(), n, explain=True).schema
        return write_file(register_io_source(batches, schema=schema), output, manifest_of)


def _ranges(users: pl.DataFrame, at_once: int) -> list[tuple[int, int]]:
    """Return the first and the last user of each batch.

    Args:
        users: userId and the number of ratings, by userId.
        at_once: How many ratings a batch may have.
    """
    import polars as pl

    size = pl.col("ratings") + _RATINGS_OF_A_USER
    batch = users.with_columns(batch=(size.cum_sum() - 1) // at_once).group_by("batch", maintain_order=True)
    return batch.agg(first=pl.col("userId").first(), last=pl.col("userId").last()).select("first", "last").rows()
