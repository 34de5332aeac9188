"""Hook lineage: a plain task that reads through the hook has the API among its inputs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_movielens.assets import create_asset

if TYPE_CHECKING:
    from airflow.sdk import BaseHook

log = logging.getLogger(__name__)


def collect_input(hook: BaseHook, base_url: str, resource: str) -> None:
    """Tell Airflow that this task reads a table of an API; once is enough, however many hooks of the task read it.

    Airflow keeps it only where somebody asks for it, such as OpenLineage's provider. Reading goes on in any case.

    Args:
        hook: Who reads.
        base_url: Of the API.
        resource: What is read: ``ratings``, ``movies`` or ``users``.
    """
    try:
        asset = create_asset(host=base_url, resource=resource)
        collector = _collector()
        if asset.uri not in {known.asset.uri for known in collector.collected_assets.inputs}:
            collector.add_input_asset(hook, uri=asset.uri)
    except Exception as error:  # noqa: BLE001 -- no task must fail for its lineage
        log.debug("No lineage of %s/%s: %s", base_url, resource, error)


def _collector() -> Any:
    try:
        from airflow.sdk.lineage import get_hook_lineage_collector
    except ImportError:  # Airflow 3.1
        from airflow.lineage.hook import get_hook_lineage_collector  # type: ignore[import-not-found, no-redef]
    return get_hook_lineage_collector()
