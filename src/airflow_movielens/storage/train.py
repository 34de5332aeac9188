"""A model trained on files of ratings, local or on object storage, in this process or by Spark."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.input_facts import ratings_files, ratings_files_on_spark

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending import Model, ModelParameters
    from airflow_movielens.recommending.data_checks import Finding
    from airflow_movielens.recommending.model import TrainingData
    from airflow_movielens.recommending.registry import ModelRegistry


def model_facts(parameters: dict[str, Any], movies: int, trained_on: TrainingData) -> dict[str, Any]:
    """Return what a small return value says about a model.

    Args:
        parameters: Its parameters.
        movies: How many movies it can recommend.
        trained_on: What it was trained on.
    """
    return {
        "parameters": parameters,
        "movies": movies,
        "ratings": trained_on.ratings,
        "users": trained_on.users,
        "first_day": _day(trained_on.first_timestamp),
        "last_day": _day(trained_on.last_timestamp),
    }


def _day(timestamp: int) -> str:
    return str(datetime.fromtimestamp(timestamp, UTC).date())


def check_ratings_for(registry: ModelRegistry, ratings: Any, report: Callable[[Finding], object]) -> None:
    """Compare ratings with those that the champion of a registry was trained on.

    Args:
        registry: The registry.
        ratings: The dataframe of the ratings.
        report: Called with each finding.

    Raises:
        FatalError: No model should be trained on these ratings.
        ValueError: The champion's file is missing or damaged, or the ratings have wrong values.
    """
    from airflow_movielens.client import FatalError
    from airflow_movielens.recommending.data_checks import check_ratings

    try:
        champion = registry.champion_training()
    except LookupError as error:
        raise ValueError(str(error)) from error
    findings = check_ratings(ratings, champion, datetime.now(UTC))
    for finding in findings:
        report(finding)
    if stops := [finding.sentence for finding in findings if finding.level == "stop"]:
        raise FatalError(f"no model is trained on these ratings. {' '.join(stops)} Check the input files")


def train_files(
    files: list[str], parameters: ModelParameters | None, check: Callable[[Any], object] | None = None
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
        if check is not None:
            check(ratings)
        return train(ratings, parameters), inputs


def train_files_on_spark(
    files: list[str],
    parameters: ModelParameters | None,
    check: Callable[[Any], object],
    *,
    conn_id: str | None,
    name: str,
) -> tuple[Model, list[RatingsFile]]:
    """Train a model on files of ratings that Spark reads, and return the model and the facts about the files.

    Args:
        files: The paths or URLs of the files; see `spark_url`.
        parameters: The parameters of the model; None for the defaults.
        check: Called with the dataframe of the ratings before the training; an exception prevents it.
        conn_id: The Airflow connection of the cluster; see `spark_session`.
        name: The name that Spark shows for the session.

    Raises:
        ValueError: Spark cannot read a file, a value is missing or wrong, or there are no ratings.
        FatalError: PySpark or Java is not installed, or the connection is not one of Spark.
    """
    from airflow_movielens.ranking.spark import clear_errors, ratings_on_spark
    from airflow_movielens.recommending import train
    from airflow_movielens.storage.spark import spark_session, spark_url

    with spark_session(conn_id, name) as session, clear_errors():
        ratings = ratings_on_spark(session, [spark_url(file) for file in files])
        check(ratings)
        return train(ratings, parameters), ratings_files_on_spark(files, ratings)
