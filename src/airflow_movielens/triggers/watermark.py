"""How many ratings there are on each of the last days, and what has changed since."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_movielens.client import MovielensClient

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Counts:
    """How many ratings there were, when an API was asked last; to begin with, none.

    Each part is counted by a request of its own. What arrives in between is missing from their sum, so the next look
    finds a total that differs.

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
        """On all days."""
        return sum(self.days.values()) + self.earlier + self.later

    def changed_days(self, before: Counts) -> list[str]:
        """The days whose number of ratings has changed; one that was not counted before had none."""
        return [day for day, count in sorted(self.days.items()) if count != before.days.get(day, 0)]

    def have_others_changed(self, before: Counts) -> bool:
        """Whether any day that is not in `days` has changed; if time has passed over dated ahead ratings, perhaps."""
        left = sum(before.days[day] for day in before.days.keys() - self.days.keys())
        newest = max(before.days, default="")
        entered = {day: count for day, count in self.days.items() if day not in before.days}
        from_later = sum(count for day, count in entered.items() if day > newest)
        from_earlier = sum(entered.values()) - from_later
        # What was in a part for days that have entered is unknown, but not more than they have now: with less, the part
        # has become larger than is said here, and so with anything new in it.
        return (self.earlier, self.later) != (
            max(before.earlier + left - from_earlier, 0),
            max(before.later - from_later, 0),
        )

    @classmethod
    def from_json(cls, values: Any) -> Counts:
        """Read what `to_json` gave.

        Raises:
            ValueError: It is something else.
        """
        try:
            days = {str(day): int(count) for day, count in values["days"].items()}
            return cls(days, int(values["earlier"]), int(values["later"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"these are no counts: {values!r}") from error

    def to_json(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return {"days": dict(self.days), "earlier": self.earlier, "later": self.later}


def count_again(client: MovielensClient, before: Counts, lookback_days: int) -> Counts:
    """Count the ratings: with one request while the total stays the same, else day by day.

    Args:
        client: Of the API.
        before: What was counted last.
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
