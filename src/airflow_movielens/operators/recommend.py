"""The operator that recommends movies to all users."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import paths_as_text, whole_number
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.links import MovielensOutputLink
from airflow_movielens.task_errors import StoppableMixin, airflow_exceptions, clear_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    from airflow.sdk import Context

    from airflow_movielens.ratings.task_run import TaskRun
    from airflow_movielens.recommending.manifest import RecommendationsManifest
    from airflow_movielens.storage.inputs import InputPath


class MovielensRecommendOperator(LineageMixin, StoppableMixin, BaseOperator):
    """Recommend movies to all users in files of ratings, by a model of a registry.

    The recommendations have userId, rank, movieId, score and reasons, sorted by userId and rank. The reasons are up to
    three {movieId, rating, contribution} of movies that the user likes, the largest contribution first. The return
    value is a small manifest: the version of the model, the numbers of users and rows, the files read with their
    checksums, and more (`airflow_movielens.recommending.manifest.RecommendationsManifest`). It also lies beside the
    recommendations. The task is skipped while the registry has no such model.

    Args:
        input_path: Ratings: a path, a glob or a folder of part files, local or URL; the return value of a fetch
            (``fetch.output``); or a list of these.
        registry: The folder of the registry.
        output_path: The Parquet file to write, which must not be an input.
        n: How many movies to recommend to each user.
        model: ``champion``, ``challenger``, ``previous``, or a version.
        engine: ``"spark"`` to read the ratings and recommend movies with Spark; ``"polars"`` to do it in this process.
        spark_conn_id: The Airflow connection of the Spark cluster, of type ``spark``; None for what Spark itself is
            configured for, by default the cores of this machine.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = ("input_path", "registry", "output_path", "n", "model", "engine", "spark_conn_id")
    operator_extra_links = (MovielensOutputLink(),)

    def __init__(
        self,
        *,
        input_path: InputPath | Iterable[InputPath],
        registry: str | PathLike[str],
        output_path: str | PathLike[str],
        n: int = 10,
        model: str = "champion",
        engine: Literal["polars", "spark"] = "polars",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_path = paths_as_text(input_path)
        self.registry = paths_as_text(registry)
        self.output_path = paths_as_text(output_path)
        self.n = n
        self.model = model
        self.engine = engine
        self.spark_conn_id = spark_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Recommend, write, and return the manifest."""
        from airflow_movielens.lineage import Dataset, file_of_recommendations, files_of_ratings
        from airflow_movielens.ratings.paths import FileFormat
        from airflow_movielens.recommending.registry import ModelRegistry
        from airflow_movielens.storage.catalogue.recording import recorded
        from airflow_movielens.storage.files import checked_output
        from airflow_movielens.storage.inputs import input_files
        from airflow_movielens.storage.spark import check_engine

        with clear_failures(), recorded("recommendations", context, self.output_path) as recording:
            recording.known["registry"] = str(ModelRegistry(self.registry).folder.absolute())
            check_engine(self.engine, self.spark_conn_id)
            output = checked_output(self.output_path)
            if FileFormat.of(output).kind != "parquet":
                raise ValueError(f"the output {output} is no Parquet file, which lists of reasons need: use .parquet")
            n = whole_number("n", self.n)
            model_path = self._model_path()
            files = input_files(self.input_path, output=output)
            manifest = self._recommended(files, model_path, output, n, recording.task)
            self._inputs = [
                *files_of_ratings(manifest.inputs or ()),
                Dataset(str(model_path), {}, version=manifest.model),
            ]
            self._outputs = [file_of_recommendations(manifest)]
            self._parameters = {"model": manifest.model, "n": manifest.n}
            self.log.info(
                "Wrote %d recommendations to %d users by the model %s into %s",
                manifest.rows, manifest.users, manifest.model, output,
            )  # fmt: skip
            summary = manifest.summary()
            recording.done({**summary, **recording.known}, manifest.recommended_at)
            return summary

    def _recommended(
        self, files: list[str], model_path: Path, output: str, n: int, task: TaskRun | None
    ) -> RecommendationsManifest:
        from airflow_movielens.recommending import load_model
        from airflow_movielens.storage.recommend import recommend_to_all, recommend_to_all_on_spark

        model, version = load_model(model_path), model_path.stem
        if self.engine == "polars":
            return recommend_to_all(files, model, version, output, n, task=task)
        name = f"{self.dag_id}.{self.task_id}"
        return recommend_to_all_on_spark(
            files, model, version, output, n, conn_id=self.spark_conn_id, name=name, task=task
        )

    def _model_path(self) -> Path:
        """Return the file of the model.

        Raises:
            AirflowSkipException: The alias has no model yet.
            ValueError: There is no such model.
        """
        from airflow_movielens.recommending.registry import ModelRegistry

        registry = ModelRegistry(self.registry)
        if asdict(registry.aliases()).get(self.model, self.model) is None:
            raise airflow_exceptions().AirflowSkipException(
                f"Nothing is recommended, because the registry {self.registry} has no {self.model} yet"
            )
        try:
            return registry.path_of(self.model)
        except LookupError as error:
            raise ValueError(str(error)) from error
