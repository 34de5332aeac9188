"""Checkpoints of a fetch in Airflow's task state store (3.3 and later)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

_KEY = "movielens_fetch"


class TaskStateCheckpoints:
    """The checkpoint in the state of the running task, where its retries find it; see `Checkpoints`.

    A failure of the store, be it Airflow's or a custom backend's, costs the checkpoint but not the fetch.

    Args:
        store: ``task_state_store`` of the task's context.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def load(self) -> dict[str, Any] | None:
        """Return the values saved last.

        Raises:
            ValueError: The store cannot be read.
        """
        try:
            values: dict[str, Any] | None = self._store.get(_KEY)
        except Exception as error:
            raise ValueError(f"Airflow does not give the checkpoint: {error}") from error
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Keep ``values``; if Airflow cannot, the fetch continues."""
        try:
            self._store.set(_KEY, json.loads(json.dumps(values)))
        except Exception as error:  # noqa: BLE001
            log.warning("The checkpoint cannot be saved, a retry would fetch more again: %s", error)

    def clear(self) -> None:
        """Remove the saved values."""
        try:
            self._store.delete(_KEY)
        except Exception as error:  # noqa: BLE001
            log.warning("The checkpoint cannot be removed: %s", error)


def checkpoints_of(context: Context) -> TaskStateCheckpoints | None:
    """Return the checkpoint store of the running task, or None, with a log line, before Airflow 3.3."""
    store = context.get("task_state_store")
    if store is None:
        log.info("Airflow keeps no state of this task (3.3 and later do): its checkpoint is next to the output")
        return None
    return TaskStateCheckpoints(store)
