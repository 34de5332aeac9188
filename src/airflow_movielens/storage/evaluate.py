"""Models evaluated on files of ratings, local or on object storage, in this process or by Spark."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.input_facts import ratings_files, ratings_files_on_spark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending.evaluation import Evaluation
    from airflow_movielens.recommending.registry import ModelRegistry


def second_of(cut: object) -> int:
    """Return a cut as a Unix second.

    Args:
        cut: A Unix second, or a day or time in ISO 8601, in UTC unless it has an offset.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(cut, int) and not isinstance(cut, bool):
        return cut
    if isinstance(cut, str) and cut.isdecimal():
        return int(cut)
    try:
        time = cut if isinstance(cut, datetime) else datetime.fromisoformat(str(cut))
    except ValueError as error:
        raise ValueError(
            f"the cut is {shown(cut)}: give a day, a time such as 2005-03-10T02:30:28Z, or a Unix second"
        ) from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def report_folder(path: str | PathLike[str]) -> Path:
    """Return the local folder of a report.

    Raises:
        ValueError: It is a URL, or a file.
    """
    folder = local_path(path)
    if folder is None or folder.is_file():
        raise ValueError(f"the report would be in {path}: give a local folder")
    return folder


def models_to_evaluate(registry: ModelRegistry, model: str = "challenger") -> dict[str, Path]:
    """Return the files of the model to evaluate, named the challenger, and of the champion of a registry.

    Args:
        registry: The registry.
        model: An alias or a version. If there is no challenger, the champion is both.

    Raises:
        LookupError: The registry has no such model, or a file is missing.
        ValueError: The registry is damaged.
    """
    aliases = registry.aliases()
    is_none_left = model == "challenger" and aliases.challenger is None and aliases.champion
    challenger = registry.path_of("champion" if is_none_left else model)
    return {"challenger": challenger} | ({"champion": registry.path_of("champion")} if aliases.champion else {})


def evaluate_files(
    files: list[str], models: Mapping[str, Path], cuts: Sequence[int] | None
) -> tuple[Evaluation, list[RatingsFile]]:
    """Evaluate a model on files of ratings, and return the evaluation and the facts about the files.

    Args:
        files: The paths or URLs of the files.
        models: The files of the ``challenger`` and, if there is one, the ``champion``.
        cuts: The cuts in Unix seconds; None to choose them by the ratings.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as ratings or as a model, or the model cannot be evaluated on the ratings.
        FatalError: Access is denied.
    """
    import polars as pl

    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import RATINGS

    with local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        inputs = ratings_files(files, paths, scans)
        return _evaluated(pl.concat(scans), models, cuts), inputs


def evaluate_files_on_spark(
    files: list[str], models: Mapping[str, Path], cuts: Sequence[int] | None, *, conn_id: str | None, name: str
) -> tuple[Evaluation, list[RatingsFile]]:
    """Evaluate a model on files of ratings that Spark reads, and return the evaluation and the facts about the files.

    Args:
        files: The paths or URLs of the files; see `spark_url`.
        models: As for `evaluate_files`.
        cuts: As for `evaluate_files`.
        conn_id: The Airflow connection of the cluster; see `spark_session`.
        name: The name that Spark shows for the session.

    Raises:
        FileNotFoundError: The file of a model does not exist.
        ValueError: Spark cannot read a file, a file cannot be read as a model, or the model cannot be evaluated on the
            ratings.
        FatalError: PySpark or Java is not installed, or the connection is not one of Spark.
    """
    from airflow_movielens.ranking.spark import clear_errors, ratings_on_spark
    from airflow_movielens.storage.spark import spark_session, spark_url

    with spark_session(conn_id, name) as session, clear_errors():
        ratings = ratings_on_spark(session, [spark_url(file) for file in files])
        return _evaluated(ratings, models, cuts), ratings_files_on_spark(files, ratings)


def _evaluated(ratings: Any, models: Mapping[str, Path], cuts: Sequence[int] | None) -> Evaluation:
    from airflow_movielens.recommending import load_model
    from airflow_movielens.recommending.evaluation import evaluate

    loaded = {name: load_model(path) for name, path in models.items()}
    versions = {name: path.stem for name, path in models.items()}
    return evaluate(ratings, loaded["challenger"], loaded.get("champion"), cuts, versions=versions)
