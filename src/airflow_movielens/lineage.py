"""Lineage: the datasets that operators read and write, for OpenLineage, and the API as an input of other tasks.

Dag files import this module, so it imports the rest of this package, and OpenLineage, inside functions. Only
OpenLineage's own provider calls the functions that import OpenLineage.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseHook
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet, RunFacet
    from openlineage.client.generated.base_subset_dataset import CompareSubsetCondition

    from airflow_movielens.client import Window
    from airflow_movielens.client.fetch.output import Manifest
    from airflow_movielens.ranking import RankingOptions
    from airflow_movielens.ranking.manifest import RankingManifest, RatingsFile
    from airflow_movielens.ratings.schema import Table
    from airflow_movielens.recommending.manifest import RecommendationsManifest

log = logging.getLogger(__name__)

_TABLES = "postgres://"
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


@dataclass(frozen=True)
class Dataset:
    """A dataset that was read or written.

    Attributes:
        address: A path, the URL of a file, or the asset URI of an API's table.
        columns: The names and types of its columns.
        rows: How many rows were read or written; None if unknown.
        size: The size of the file in bytes.
        version: The name of the state of the data.
        source: The base URL of the API.
        window: The days that were read; None for all.
    """

    address: str
    columns: Mapping[str, str]
    rows: int | None = None
    size: int | None = None
    version: str | None = None
    source: str | None = None
    window: Window | None = None

    @property
    def identifier(self) -> tuple[str, str]:
        """The namespace and name by OpenLineage's naming rules, equal to those of Airflow's own converters."""
        from airflow_movielens.ratings.paths import local_path

        local = local_path(self.address)
        if local is not None:
            return "file", str(local.absolute())
        scheme, _, rest = self.address.partition("://")
        place, _, name = rest.partition("/")
        # ObjectStoragePath allows the connection's id before the bucket.
        return f"{_SAME_STORE.get(scheme, scheme)}://{place.rpartition('@')[2]}", name


def table_of_api(
    base_url: str,
    table: Table,
    rows: int | None = None,
    *,
    window: Window | None = None,
    version: str | None = None,
) -> Dataset:
    """Return the dataset of a table of an API."""
    from airflow_movielens.assets import uri_of

    # Not through an Asset, which rejects some addresses: a task must not fail because of its lineage.
    address = uri_of(base_url, table.name)
    return Dataset(address, columns_of(table.polars_schema()), rows, version=version, source=base_url, window=window)


def files_of_fetch(manifest: Manifest) -> list[Dataset]:
    """Return the datasets that a fetch wrote: the ratings, and the quarantined rows if there are any."""
    from airflow_movielens.ratings.schema import RATINGS

    columns = columns_of(RATINGS.polars_schema())
    files = [Dataset(manifest.path, columns, manifest.rows, size=manifest.bytes, version=manifest.sha256)]
    if manifest.quarantine_path is not None:
        files.append(Dataset(manifest.quarantine_path, {}, manifest.quarantined))
    return files


def inputs_of_ranking(
    manifest: RankingManifest, movies: pl.DataFrame | None, earlier: pl.DataFrame | None
) -> list[Dataset]:
    """Return the datasets that a ranking was computed from: ratings, movies and the earlier ranking."""
    from airflow_movielens.ratings.schema import MOVIES

    inputs = files_of_ratings(manifest.inputs or ())
    if movies is not None and manifest.source is not None:
        inputs.append(table_of_api(manifest.source, MOVIES, len(movies)))
    for files, rows in ((manifest.movies, movies), (manifest.compare_to, earlier)):
        known = {} if rows is None else columns_of(rows.schema)
        inputs += [Dataset(file.path, known, size=file.bytes, version=file.sha256) for file in files]
    return inputs


def files_of_ratings(files: Iterable[RatingsFile]) -> list[Dataset]:
    """Return the datasets of files of ratings that were read."""
    from airflow_movielens.ratings.schema import RATINGS

    columns = columns_of(RATINGS.polars_schema())
    return [Dataset(file.path, columns, file.rows, file.bytes, file.sha256) for file in files]


def file_of_ranking(manifest: RankingManifest, ranking: pl.DataFrame) -> Dataset:
    """Return the dataset of a ranking that was written."""
    return Dataset(manifest.path, columns_of(ranking.schema), manifest.rows, manifest.bytes, manifest.sha256)


def file_of_recommendations(manifest: RecommendationsManifest) -> Dataset:
    """Return the dataset of recommendations that were written."""
    columns = {"userId": "int32", "rank": "int32", "movieId": "int32", "score": "float32", "reasons": "list"}
    return Dataset(manifest.path, columns, manifest.rows, manifest.bytes, manifest.sha256)


def table_of_postgres(address: str, name: str, columns: Mapping[str, str], rows: int) -> Dataset:
    """Return the dataset of a table of PostgreSQL.

    Args:
        address: The host and port of the server.
        name: The table, as ``database.schema.table``.
        columns: The names and types of its columns.
        rows: How many rows were loaded.
    """
    return Dataset(f"{_TABLES}{address}/{name}", columns, rows)


def parameters_of_ranking(options: RankingOptions) -> dict[str, Any]:
    """Return how movies were ranked: the method, its parameters, and the further options."""
    further = {"min_ratings": options.min_ratings, "by": options.by, "as_of": options.as_of}
    return {"method": options.method, **options.parameters} | {
        name: value for name, value in further.items() if value is not None
    }


def columns_of(schema: pl.Schema) -> dict[str, str]:
    """Return the names and types of columns, with types such as ``int32``, ``float32`` and ``string``."""
    return {name: str(dtype).lower() for name, dtype in schema.items()}


class LineageMixin:
    """A mixin that reports the datasets of ``execute`` to OpenLineage; a task that failed early has none.

    OpenLineage's provider uses it instead of hook lineage, so that no dataset appears twice.
    """

    _inputs: Sequence[Dataset] = ()
    _outputs: Sequence[Dataset] = ()
    _parameters: Mapping[str, Any] | None = None

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Return inputs, outputs and parameters; OpenLineage's provider calls this when the task has ended."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(
            inputs=[_input(dataset) for dataset in _distinct(self._inputs)],
            outputs=[_output(dataset) for dataset in _distinct(self._outputs)],
            run_facets={} if self._parameters is None else {"executionParameters": _execution(self._parameters)},
        )


def _distinct(datasets: Sequence[Dataset]) -> Iterable[Dataset]:
    return {dataset.identifier: dataset for dataset in datasets}.values()


def _execution(parameters: Mapping[str, Any]) -> RunFacet:
    """Return the facet of the parameters of a run."""
    from openlineage.client.facet_v2 import execution_parameters_run

    return execution_parameters_run.ExecutionParametersRunFacet(
        parameters=[
            execution_parameters_run.ExecutionParameter(key=name, value=str(value))
            for name, value in parameters.items()
        ]
    )


def _input(dataset: Dataset) -> InputDataset:
    """Return an input with its schema, source and version, the window, and the number of rows and bytes."""
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    facets: dict[str, InputDatasetFacet] = {}
    if dataset.rows is not None or dataset.size is not None:
        facets["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=dataset.rows, size=dataset.size
        )
    if dataset.window is not None:
        facets["subset"] = _subset(dataset.window)
    namespace, name = dataset.identifier
    return InputDataset(namespace=namespace, name=name, facets=_facets(dataset), inputFacets=facets)


def _output(dataset: Dataset) -> OutputDataset:
    """Return an output with its schema and version, and the number of rows and bytes."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=dataset.rows, size=dataset.size, fileCount=None if dataset.address.startswith(_TABLES) else 1
    )
    namespace, name = dataset.identifier
    return OutputDataset(
        namespace=namespace, name=name, facets=_facets(dataset), outputFacets={"outputStatistics": statistics}
    )


def _facets(dataset: Dataset) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import dataset_version_dataset, datasource_dataset, schema_dataset

    fields = [schema_dataset.SchemaDatasetFacetFields(name, type_) for name, type_ in dataset.columns.items()]
    facets: dict[str, DatasetFacet] = {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}
    if dataset.source is not None:
        facets["dataSource"] = datasource_dataset.DatasourceDatasetFacet(dataset.identifier[0], dataset.source)
    if dataset.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(dataset.version)
    return facets


def _subset(window: Window) -> InputDatasetFacet:
    """Return the window as a condition on the ratings' timestamp."""
    from openlineage.client.facet_v2 import base_subset_dataset

    if window.start is None or window.end is None:
        raise ValueError(f"the window {window} is open")
    condition = base_subset_dataset.BinarySubsetCondition(
        left=_compared("GREATER_EQUAL_THAN", window.start),
        right=_compared("LESS_THAN", window.end),
        operator="AND",
    )
    return base_subset_dataset.InputSubsetInputDatasetFacet(inputCondition=condition)


def _compared(comparison: str, day: date) -> CompareSubsetCondition:
    from openlineage.client.facet_v2 import base_subset_dataset

    moment = datetime.combine(day, time(), UTC).isoformat().replace("+00:00", "Z")
    return base_subset_dataset.CompareSubsetCondition(
        left=base_subset_dataset.FieldBaseCompareExpression(field="timestamp"),
        right=base_subset_dataset.LiteralCompareExpression(value=moment),
        comparison=comparison,
    )


def collect_input(hook: BaseHook, base_url: str, resource: str) -> None:
    """Report to Airflow that this task reads a table of an API, once for all hooks of the task.

    Airflow collects it only if a listener such as OpenLineage's provider is installed. An error here never stops the
    task.

    Args:
        hook: The hook that reads.
        base_url: The base URL of the API.
        resource: The table: ``ratings``, ``movies`` or ``users``.
    """
    from airflow_movielens.assets import create_asset

    try:
        asset = create_asset(host=base_url, resource=resource)
        collector = _collector()
        if asset.uri not in {known.asset.uri for known in collector.collected_assets.inputs}:
            collector.add_input_asset(hook, uri=asset.uri)
    except Exception as error:  # noqa: BLE001 -- no task must fail because of its lineage
        log.debug("No lineage of %s/%s: %s", base_url, resource, error)


def _collector() -> Any:
    try:
        from airflow.sdk.lineage import get_hook_lineage_collector
    except ImportError:  # Airflow 3.1
        from airflow.lineage.hook import get_hook_lineage_collector  # type: ignore[import-not-found, no-redef]
    return get_hook_lineage_collector()
