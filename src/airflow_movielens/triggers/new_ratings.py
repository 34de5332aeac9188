"""The event trigger: tells an asset's watchers of new and of late ratings."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_movielens.client import FatalError
from airflow_movielens.connection.coerce import connection_id, number, whole_number
from airflow_movielens.triggers.api_calls import ask, pause
from airflow_movielens.triggers.watermark import Counts, Watermark, count_again

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_LOOKBACK = 366
STORED_AFTER = 10.0
"""Seconds after which Airflow has surely stored an event; it takes about two."""


class MovielensNewRatingsTrigger(BaseEventTrigger):
    """Fires when ratings have appeared, on new days or late on old ones; for an ``AssetWatcher``.

    The event's payload is ``{"days": ["2026-11-23"], "other_days": false, "total": 100005}``: the UTC days of the
    lookback whose number of ratings has changed, whether other days have changed too, and how many ratings there are.

    Every rating is told of at least once, and now and then twice: what was seen is saved a poll after it was told.
    What there is at the very first look is new. Errors are waited out, whatever they are, and logged.

    Args:
        conn_id: The Airflow connection of the API.
        poll_interval: Seconds between two looks, longer while the API is in trouble; at least 10 after an event.
        lookback_days: How many days, up to today in UTC, to look at one by one when the total has changed, 1 to 366.

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
        """Give what Airflow keeps in its database, to make this trigger again in any triggerer."""
        return "airflow_movielens.triggers.MovielensNewRatingsTrigger", {
            "conn_id": self.conn_id,
            "poll_interval": self.poll_interval,
            "lookback_days": self.lookback_days,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again, and fire for each change."""
        watermark = Watermark(getattr(self, "asset_state_store", None), self.conn_id)
        told: Counts | None = None
        failures = 0
        while True:
            try:
                # Saved a poll after the event, not with it: the event reaches the database a moment after its yield.
                told = await watermark.load() if told is None else await watermark.save(told)
                seen = await ask(self.conn_id, partial(count_again, before=told, lookback_days=self.lookback_days))
            except Exception as error:  # noqa: BLE001 -- Airflow would start a trigger that fails anew every 2 s
                failures += 1
                seconds = pause(self.poll_interval, failures, error)
                self.log.warning("New ratings cannot be looked for, next look in %.0f s: %s", seconds, error)
                await asyncio.sleep(seconds)
                continue
            failures, seconds = 0, pause(self.poll_interval)
            if payload := _news(seen, told):
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
                seconds = max(seconds, STORED_AFTER)
            told = seen
            await asyncio.sleep(seconds)


def _news(seen: Counts, told: Counts) -> dict[str, Any] | None:
    days, other_days = seen.changed_days(told), seen.have_others_changed(told)
    if not days and not other_days:
        return None
    return {"days": days, "other_days": other_days, "total": seen.total}
