"""The event trigger: reports new and late ratings to the watchers of an asset.

Airflow keeps the counts that it has reported across restarts.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_movielens.client import FatalError
from airflow_movielens.connection.coerce import connection_id, number, whole_number
from airflow_movielens.triggers.polling import call_api, pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_movielens.client import MovielensClient

log = logging.getLogger(__name__)

_MAX_LOOKBACK_DAYS = 366
_STORED_AFTER = 10.0
"""Seconds after which Airflow has certainly stored an event; it takes about two."""

_DAY = timedelta(days=1)


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
        self.stored_after = _STORED_AFTER
        if self.lookback_days > _MAX_LOOKBACK_DAYS:
            raise FatalError(f"lookback_days is {lookback_days}: give at most {_MAX_LOOKBACK_DAYS}")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores in its database to recreate this trigger in any triggerer."""
        return "airflow_movielens.triggers.MovielensNewRatingsTrigger", {
            "conn_id": self.conn_id,
            "poll_interval": self.poll_interval,
            "lookback_days": self.lookback_days,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll, and fire for each change."""
        stored = ReportedCounts(getattr(self, "asset_state_store", None), self.conn_id)
        reported: Counts | None = None
        failures = 0
        while True:
            try:
                # Saved a poll after the event: the event reaches the database a moment after its yield.
                reported = await stored.load() if reported is None else await stored.save(reported)
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
                seconds = max(seconds, self.stored_after)
            reported = seen
            await asyncio.sleep(seconds)


def _changes(seen: Counts, reported: Counts) -> dict[str, Any] | None:
    days, other_days = seen.changed_days(reported), seen.have_other_days_changed(reported)
    if not days and not other_days:
        return None
    return {"days": days, "other_days": other_days, "total": seen.total}


@dataclass(frozen=True)
class Counts:
    """How many ratings an API had at the last poll; at first, none.

    Each part is counted by its own request. Ratings that arrive in between are missing from the sum, so the next poll
    finds a different total.

    Attributes:
        days: On each of the last UTC days, by ``YYYY-MM-DD``.
        earlier: On all days before these.
        later: On all days after these.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    earlier: int = 0
    later: int = 0

    @property
    def total(self) -> int:
        """The number of ratings on all days."""
        return sum(self.days.values()) + self.earlier + self.later

    def changed_days(self, before: Counts) -> list[str]:
        """Return the days whose number of ratings has changed; a day that was not counted before had none."""
        return [day for day, count in sorted(self.days.items()) if count != before.days.get(day, 0)]

    def have_other_days_changed(self, before: Counts) -> bool:
        """Return whether a day that is not in `days` has changed; ratings with future dates may give a false alarm."""
        left = sum(before.days[day] for day in before.days.keys() - self.days.keys())
        newest = max(before.days, default="")
        entered = {day: count for day, count in self.days.items() if day not in before.days}
        from_later = sum(count for day, count in entered.items() if day > newest)
        from_earlier = sum(entered.values()) - from_later
        # How many ratings a part held for days that have since entered `days` is unknown, but it is not more than they
        # have now. If it was less, the part has grown by more than is computed here, and it still differs.
        return (self.earlier, self.later) != (
            max(before.earlier + left - from_earlier, 0),
            max(before.later - from_later, 0),
        )

    @classmethod
    def from_json(cls, values: Any) -> Counts:
        """Read the result of `to_json`.

        Raises:
            ValueError: The values are something else.
        """
        try:
            days = {str(day): int(count) for day, count in values["days"].items()}
            return cls(days, int(values["earlier"]), int(values["later"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"these are not counts: {values!r}") from error

    def to_json(self) -> dict[str, Any]:
        """Return the counts as values that JSON can hold."""
        return {"days": dict(self.days), "earlier": self.earlier, "later": self.later}


def count_again(client: MovielensClient, before: Counts, lookback_days: int) -> Counts:
    """Count the ratings: with one request if the total is unchanged, otherwise day by day.

    Args:
        client: The client of the API.
        before: The last counts.
        lookback_days: How many days, up to today in UTC, to count one by one.

    Raises:
        MovielensError: See `MovielensClient.count_ratings`.
    """
    if client.count_ratings() == before.total:
        return before
    tomorrow = datetime.now(UTC).date() + _DAY
    days = [tomorrow - number * _DAY for number in range(lookback_days, 0, -1)]
    return Counts(
        {day.isoformat(): client.count_ratings(day, day + _DAY) for day in days},
        earlier=client.count_ratings(None, days[0]),
        later=client.count_ratings(tomorrow, None),
    )


class ReportedCounts:
    """The counts that were reported last.

    Args:
        store: ``asset_state_store`` of the event trigger (Airflow 3.3 and later); None to keep them in memory only.
        conn_id: The Airflow connection of the API: an asset may have several watchers, one for each API.
    """

    def __init__(self, store: Any, conn_id: str) -> None:
        self._store = store
        self._key = f"movielens_counts:{conn_id}"
        self._saved: Counts | None = None

    async def load(self) -> Counts:
        """Return the counts saved last, or empty counts."""
        if self._store is None:
            log.warning("Airflow keeps no state for this watcher (3.3 and later do): at each start all ratings are new")
            return Counts()
        try:
            values = await self._store.aget(self._key)
            self._saved = None if values is None else Counts.from_json(values)
        except ValueError as error:
            log.warning("The counts reported before are unknown, so all ratings count as new: %s", error)
        return self._saved or Counts()

    async def save(self, counts: Counts) -> Counts:
        """Save the reported counts, and return them; if Airflow cannot save them, only log it."""
        if self._store is None or counts == self._saved:
            return counts
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            await self._store.aset(self._key, counts.to_json())
            self._saved = counts
        except (AirflowRuntimeError, ValueError) as error:
            log.warning("The reported counts cannot be saved, and would be reported again after a restart: %s", error)
        return counts
