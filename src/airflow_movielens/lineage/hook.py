"""Hook lineage: the API becomes an input of any task that reads through the hook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_movielens.assets import create_asset

if TYPE_CHECKING:
    from airflow.sdk import BaseHook

log = logging.getLogger(__name__)


def collect_input(hook: BaseHook, base_url: str, resource: str) -> None:
    """Report to Airflow that this task reads a table of an API, once for all hooks of the task.

    Airflow collects it only if a listener such as OpenLineage's provider is installed. An error here never stops the
    task.

    Args:
        hook: The hook that reads.
        base_url: The base URL of the API.
        resource: The table: ``ratings``, ``movies`` or ``users``.
    """
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
