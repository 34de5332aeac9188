"""A model trained on files of ratings, local or on object storage, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.input_facts import ratings_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending import Model, ModelParameters


def train_files(
    files: list[str], parameters: ModelParameters | None, check: Callable[[Any], object]
) -> tuple[Model, list[RatingsFile]]:
    """Train a model on files of ratings, and return the model and the facts about the files.

    Args:
        files: The paths or URLs of the files.
        parameters: The parameters of the model; None for those that `train` chooses.
        check: Called with the dataframe of the ratings before the training; an exception prevents it.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as ratings, or there are no ratings.
        FatalError: Access is denied.
    """
    import polars as pl

    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import RATINGS
    from airflow_movielens.recommending import train

    with local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        inputs = ratings_files(files, paths, scans)
        ratings = pl.concat(scans)
        check(ratings)
        return train(ratings, parameters), inputs
