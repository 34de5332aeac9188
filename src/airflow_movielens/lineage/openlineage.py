"""The inputs and outputs of operators as OpenLineage datasets, with standard facets only.

OpenLineage is imported inside functions that only its own provider calls.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet
    from openlineage.client.generated.base_subset_dataset import CompareSubsetCondition

    from airflow_movielens.client import Window
    from airflow_movielens.lineage.datasets import Dataset


class LineageMixin:
    """A mixin that reports the datasets of ``execute`` to OpenLineage; a task that failed early has none.

    OpenLineage's provider uses it instead of hook lineage, so that no dataset appears twice.
    """

    _inputs: Sequence[Dataset] = ()
    _outputs: Sequence[Dataset] = ()

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Return inputs and outputs; OpenLineage's provider calls this when the task has ended."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(
            inputs=[_input(dataset) for dataset in _distinct(self._inputs)],
            outputs=[_output(dataset) for dataset in _distinct(self._outputs)],
        )


def _distinct(datasets: Sequence[Dataset]) -> Iterable[Dataset]:
    return {dataset.identifier: dataset for dataset in datasets}.values()


def _input(dataset: Dataset) -> InputDataset:
    """Return an input with its schema, source and version, the window and the number of rows."""
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    facets: dict[str, InputDatasetFacet] = {}
    if dataset.rows is not None:
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
        rowCount=dataset.rows, size=dataset.size, fileCount=1
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
