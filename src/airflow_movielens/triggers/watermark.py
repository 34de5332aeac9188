"""What an event trigger has told of already, kept by Airflow beyond its restarts."""

from __future__ import annotations

import logging
from typing import Any

from airflow_movielens.triggers.counts import Counts

log = logging.getLogger(__name__)


class Watermark:
    """The counts that were told of last.

    Args:
        store: ``asset_state_store`` of the event trigger (Airflow 3.3 and later); None to remember in memory only.
        conn_id: The Airflow connection of the API: one asset may have a watcher for each of several.
    """

    def __init__(self, store: Any, conn_id: str) -> None:
        self._store = store
        self._key = f"movielens_counts:{conn_id}"
        self._saved: Counts | None = None

    async def load(self) -> Counts:
        """Give what was saved last, else counts of nothing."""
        if self._store is None:
            log.warning("Airflow keeps no state for this watcher (3.3 and later do): at each start all ratings are new")
            return Counts()
        try:
            values = await self._store.aget(self._key)
            self._saved = None if values is None else Counts.from_json(values)
        except ValueError as error:
            log.warning("What was told of before is unknown, so all ratings count as new: %s", error)
        return self._saved or Counts()

    async def save(self, counts: Counts) -> Counts:
        """Keep what was told of, and give it back; if Airflow cannot, go on all the same."""
        if self._store is None or counts == self._saved:
            return counts
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            await self._store.aset(self._key, counts.to_json())
            self._saved = counts
        except (AirflowRuntimeError, ValueError) as error:
            log.warning("What was told of cannot be saved, after a restart it would be told of again: %s", error)
        return counts
