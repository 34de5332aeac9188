"""The operator that trains a model on files of ratings."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import paths_as_text
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.links import MovielensOutputLink
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.messages import shown
from airflow_movielens.task_errors import StoppableMixin, clear_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from airflow.sdk import Context

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending import Model, ModelParameters
    from airflow_movielens.recommending.data_checks import Finding
    from airflow_movielens.recommending.registry import ModelRegistry
    from airflow_movielens.storage.inputs import InputPath

log = logging.getLogger(__name__)


class MovielensTrainOperator(LineageMixin, StoppableMixin, BaseOperator):
    """Train a model on files of ratings, and register it as the challenger.

    Before the training, the ratings are compared with those that the champion of the registry was trained on. Warnings
    are logged. If no model should be trained on the ratings, the task fails without retries.

    The return value says which model it is: its version in the registry, the path of its file, its parameters, the
    numbers of ratings, users and movies, and the first and the last day of the ratings.

    Args:
        input_path: Ratings: a path, a glob or a folder of part files, local or URL; the return value of a fetch
            (``fetch.output``); or a list of these.
        registry: The folder of the registry, shared by all workers.
        parameters: Parameters of the model, such as ``{"lambda_1": 500}``, also as JSON from a template; None for those
            that `train` chooses.
        engine: ``"spark"`` to read and add up the ratings with Spark; ``"polars"`` to do it in this process.
        spark_conn_id: The Airflow connection of the Spark cluster, of type ``spark``; None for what Spark itself is
            configured for, by default the cores of this machine.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = ("input_path", "registry", "parameters", "engine", "spark_conn_id")
    operator_extra_links = (MovielensOutputLink(),)

    def __init__(
        self,
        *,
        input_path: InputPath | Iterable[InputPath],
        registry: str | PathLike[str],
        parameters: dict[str, Any] | str | None = None,
        engine: Literal["polars", "spark"] = "polars",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_path = paths_as_text(input_path)
        self.registry = paths_as_text(registry)
        self.parameters = parameters
        self.engine = engine
        self.spark_conn_id = spark_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Train, register, and return which model it is."""
        from airflow_movielens.lineage import Dataset, files_of_ratings
        from airflow_movielens.recommending.registry import ModelRegistry
        from airflow_movielens.storage.catalogue.recording import recorded
        from airflow_movielens.storage.inputs import input_files
        from airflow_movielens.storage.spark import check_engine
        from airflow_movielens.storage.train import model_facts

        with clear_failures(), recorded("training", context, self.registry) as recording:
            registry = ModelRegistry(self.registry)
            check_engine(self.engine, self.spark_conn_id)
            parameters = self._parameters_of_model()
            files = input_files(self.input_path)
            model, inputs = self._trained(files, parameters, registry)
            facts = model_facts(asdict(model.parameters), len(model.catalogue.movies), model.trained_on)
            reason = f"trained on {facts['ratings']:,} ratings from {facts['first_day']} to {facts['last_day']}"
            version = registry.register(model, by=f"{self.dag_id}.{self.task_id}", reason=reason)
            path = str(registry.path_of(version))
            self._inputs = files_of_ratings(inputs)
            self._outputs = [Dataset(path, {}, version=version)]
            self._parameters = facts["parameters"]
            self.log.info("Registered the model %s, %s", version, reason)
            trained = {"version": version, "path": path, **facts}
            recording.done({**trained, "registry": str(registry.folder.absolute())})
            return trained

    def _trained(
        self, files: list[str], parameters: ModelParameters | None, registry: ModelRegistry
    ) -> tuple[Model, list[RatingsFile]]:
        from airflow_movielens.storage.train import check_ratings_for, train_files, train_files_on_spark

        check = partial(check_ratings_for, registry, report=_log)
        if self.engine == "polars":
            return train_files(files, parameters, check)
        name = f"{self.dag_id}.{self.task_id}"
        return train_files_on_spark(files, parameters, check, conn_id=self.spark_conn_id, name=name)

    def _parameters_of_model(self) -> ModelParameters | None:
        """Return the given parameters, checked; a template renders numbers as text, and ``tojson`` all of them."""
        from airflow_movielens.recommending import ModelParameters

        given = _from_json(self.parameters) if isinstance(self.parameters, str) else self.parameters
        if given is None:
            return None
        known = [field.name for field in fields(ModelParameters)]
        if not isinstance(given, dict):
            raise ValueError(f"the parameters are {shown(given)}: give a dictionary of {', '.join(known)}")
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(f"a model has no parameter {shown(unknown[0])}: it takes {', '.join(known)}")
        return ModelParameters(**{name: _rendered(value) for name, value in given.items()})


def _log(finding: Finding) -> None:
    log.log(logging.INFO if finding.level == "ok" else logging.WARNING, "Data check %s", finding)


def _from_json(text: str) -> Any:
    """Return the value of JSON, or the text, to be reported."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def _rendered(value: Any) -> Any:
    """Return the number that a template rendered, or the value, to be reported."""
    try:
        found = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(found) if isinstance(value, str) and value.isdecimal() else found
