"""Airflow's task state store (3.3 and later) as the place of a fetch's checkpoint."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

_KEY = "movielens_fetch"


class TaskStateCheckpoints:
    """Keeps the checkpoint in the state of the running task, where its retries find it; see `Checkpoints`.

    Whatever fails there, in Airflow or in a backend that somebody has set for it, costs the checkpoint, not the fetch.

    Args:
        store: ``task_state_store`` of the task's context.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last."""
        try:
            values: dict[str, Any] | None = self._store.get(_KEY)
        except Exception as error:
            raise ValueError(f"Airflow does not give the checkpoint: {error}") from error
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Keep ``values``; if Airflow cannot, the fetch goes on all the same."""
        try:
            self._store.set(_KEY, json.loads(json.dumps(values)))
        except Exception as error:  # noqa: BLE001
            log.warning("The checkpoint cannot be saved, a retry would fetch more again: %s", error)

    def clear(self) -> None:
        """Forget what was saved."""
        try:
            self._store.delete(_KEY)
        except Exception as error:  # noqa: BLE001
            log.warning("The checkpoint cannot be removed: %s", error)


def checkpoints_of(context: Context) -> TaskStateCheckpoints | None:
    """The place for checkpoints that Airflow gives the running task; None, with a line in the log, before 3.3."""
    store = context.get("task_state_store")
    if store is None:
        log.info("Airflow keeps no state of this task (3.3 and later do): its checkpoint lies beside the output")
        return None
    return TaskStateCheckpoints(store)
