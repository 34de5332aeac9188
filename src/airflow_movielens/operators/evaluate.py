"""The operator that evaluates a model of a registry on files of ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import paths_as_text
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.links import MovielensOutputLink
from airflow_movielens.ratings.messages import shown
from airflow_movielens.task_errors import StoppableMixin, clear_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    from airflow.sdk import Context

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending.evaluation import Evaluation
    from airflow_movielens.storage.inputs import InputPath


class MovielensEvaluateOperator(LineageMixin, StoppableMixin, BaseOperator):
    """Evaluate a model of a registry, and compare it with the champion and with baselines.

    It writes ``evaluation.json`` and the report ``evaluation.html`` into a folder. The return value has the paths of
    both, the versions of the models, the number of users, the mean NDCG@10 of each recommender, and the comparisons as
    sentences.

    Args:
        input_path: Ratings: a path, a glob or a folder of part files, local or URL; the return value of a fetch
            (``fetch.output``); or a list of these. They hold what the model was trained on.
        registry: The folder of the registry, shared by all workers.
        output_path: The local folder to write to.
        cuts: Days or times (UTC) before which the models know ratings; None to choose three by the ratings.
        model: The model: the return value of `MovielensTrainOperator` (``train.output``), a version, or an alias. If
            there is no challenger, the champion is evaluated as one.
        engine: ``"spark"`` to read and add up the ratings with Spark; ``"polars"`` to do it in this process.
        spark_conn_id: The Airflow connection of the Spark cluster, of type ``spark``; None for what Spark itself is
            configured for, by default the cores of this machine.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = (
        "input_path",
        "registry",
        "output_path",
        "cuts",
        "model",
        "engine",
        "spark_conn_id",
    )
    operator_extra_links = (MovielensOutputLink(),)

    def __init__(
        self,
        *,
        input_path: InputPath | Iterable[InputPath],
        registry: str | PathLike[str],
        output_path: str | PathLike[str],
        cuts: Sequence[str | int] | None = None,
        model: str | dict[str, Any] = "challenger",
        engine: Literal["polars", "spark"] = "polars",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_path = paths_as_text(input_path)
        self.registry = paths_as_text(registry)
        self.output_path = paths_as_text(output_path)
        self.cuts = cuts
        self.model = model
        self.engine = engine
        self.spark_conn_id = spark_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate, write the report, and return a summary."""
        from airflow_movielens.lineage import Dataset, files_of_ratings
        from airflow_movielens.recommending.evaluation.result import FILE_NAME
        from airflow_movielens.recommending.registry import ModelRegistry
        from airflow_movielens.storage.catalogue.recording import recorded
        from airflow_movielens.storage.evaluate import report_folder, second_of
        from airflow_movielens.storage.inputs import input_files
        from airflow_movielens.storage.spark import check_engine

        with clear_failures(), recorded("evaluation", context, f"{self.output_path}/{FILE_NAME}") as recording:
            recording.known["registry"] = str(ModelRegistry(self.registry).folder.absolute())
            check_engine(self.engine, self.spark_conn_id)
            folder = report_folder(self.output_path)
            cuts = None if self.cuts is None else [second_of(cut) for cut in self.cuts]
            models = self._models()
            evaluation, inputs = self._evaluated(input_files(self.input_path), models, cuts)
            evaluation.save(folder)
            self._inputs = [
                *files_of_ratings(inputs),
                *(Dataset(str(path), {}, version=path.stem) for path in models.values()),
            ]
            self._outputs = [Dataset(str(folder / FILE_NAME), {})]
            self._parameters = {"cuts": evaluation.cuts, "known_likes": evaluation.known_likes}
            summary = evaluation.summary(folder)
            for sentence in summary["sentences"]:
                self.log.info("%s", sentence)
            recording.done({**summary, **recording.known})
            return summary

    def _evaluated(
        self, files: list[str], models: dict[str, Path], cuts: list[int] | None
    ) -> tuple[Evaluation, list[RatingsFile]]:
        from airflow_movielens.storage.evaluate import evaluate_files, evaluate_files_on_spark

        if self.engine == "polars":
            return evaluate_files(files, models, cuts)
        name = f"{self.dag_id}.{self.task_id}"
        return evaluate_files_on_spark(files, models, cuts, conn_id=self.spark_conn_id, name=name)

    def _models(self) -> dict[str, Path]:
        from airflow_movielens.recommending.registry import ModelRegistry
        from airflow_movielens.storage.evaluate import models_to_evaluate

        model = self.model.get("version") if isinstance(self.model, dict) else self.model
        if not isinstance(model, str):
            raise ValueError(
                f"model is {shown(self.model)}: give the output of a training's task, an alias or a version"
            )
        try:
            return models_to_evaluate(ModelRegistry(self.registry), model)
        except LookupError as error:
            raise ValueError(str(error)) from error
