"""The event trigger: reports new and late ratings to the watchers of an asset."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_movielens.client import FatalError
from airflow_movielens.connection.coerce import connection_id, number, whole_number
from airflow_movielens.triggers.api_calls import call_api, pause
from airflow_movielens.triggers.watermark import Counts, Watermark, count_again

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_LOOKBACK = 366
STORED_AFTER = 10.0
"""Seconds after which Airflow has certainly stored an event; it takes about two."""


class MovielensNewRatingsTrigger(BaseEventTrigger):
    """Fire when ratings have appeared, on new days or late on old ones; for an ``AssetWatcher``.

    The event's payload is ``{"days": ["2026-11-23"], "other_days": false, "total": 100005}``: the UTC days of the
    lookback whose number of ratings has changed, whether other days have changed too, and how many ratings there are.

    Every rating is reported at least once, and sometimes twice: the counts are saved a poll after the event. At the
    first poll, all ratings are new. Errors of any kind are logged and tolerated.

    Args:
        conn_id: The Airflow connection of the API.
        poll_interval: Seconds between two polls, longer while the API fails; at least 10 after an event.
        lookback_days: How many days, up to today in UTC, to count one by one when the total has changed, 1 to 366.

    Raises:
        FatalError: A value is out of range.
    """

    def __init__(self, conn_id: str = "movielens_default", poll_interval: float = 60.0, lookback_days: int = 7) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = connection_id(conn_id)
        self.poll_interval = number("poll_interval", poll_interval)
        self.lookback_days = whole_number("lookback_days", lookback_days)
        if self.lookback_days > LONGEST_LOOKBACK:
            raise FatalError(f"lookback_days is {lookback_days}: give at most {LONGEST_LOOKBACK}")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores in its database to recreate this trigger in any triggerer."""
        return "airflow_movielens.triggers.MovielensNewRatingsTrigger", {
            "conn_id": self.conn_id,
            "poll_interval": self.poll_interval,
            "lookback_days": self.lookback_days,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll, and fire for each change."""
        watermark = Watermark(getattr(self, "asset_state_store", None), self.conn_id)
        reported: Counts | None = None
        failures = 0
        while True:
            try:
                # Saved a poll after the event: the event reaches the database a moment after its yield.
                reported = await watermark.load() if reported is None else await watermark.save(reported)
                seen = await call_api(
                    self.conn_id, partial(count_again, before=reported, lookback_days=self.lookback_days)
                )
            except Exception as error:  # noqa: BLE001 -- Airflow would restart a failing trigger every 2 s
                failures += 1
                seconds = pause(self.poll_interval, failures, error)
                self.log.warning("The poll for new ratings failed, next poll in %.0f s: %s", seconds, error)
                await asyncio.sleep(seconds)
                continue
            failures, seconds = 0, pause(self.poll_interval)
            if payload := _changes(seen, reported):
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
                seconds = max(seconds, STORED_AFTER)
            reported = seen
            await asyncio.sleep(seconds)


def _changes(seen: Counts, reported: Counts) -> dict[str, Any] | None:
    days, other_days = seen.changed_days(reported), seen.have_others_changed(reported)
    if not days and not other_days:
        return None
    return {"days": days, "other_days": other_days, "total": seen.total}
