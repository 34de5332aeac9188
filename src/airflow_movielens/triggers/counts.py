"""How many ratings there are on each of the last days, and what has changed since."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from airflow_movielens.client import MovielensClient

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Counts:
    """How many ratings there were, when an API was asked last; to begin with, none.

    Each part is counted by a request of its own. What arrives in between is missing from their sum, so the next look
    finds a total that differs.

    Attributes:
        days: On each of the last UTC days, by ``YYYY-MM-DD``.
        others: On all other days.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    @property
    def total(self) -> int:
        """On all days."""
        return sum(self.days.values()) + self.others

    def changed_days(self, before: Counts) -> list[str]:
        """The days whose number of ratings has changed; one that was not counted before had none."""
        return [day for day, count in sorted(self.days.items()) if count != before.days.get(day, 0)]

    def have_others_changed(self, before: Counts) -> bool:
        """Whether any day that is not in `days` has changed."""
        no_longer_last = sum(count for day, count in before.days.items() if day not in self.days)
        return self.others != before.others + no_longer_last

    @classmethod
    def from_json(cls, values: Any) -> Counts:
        """Read what `to_json` gave.

        Raises:
            ValueError: It is something else.
        """
        try:
            days = {str(day): int(count) for day, count in values["days"].items()}
            return cls(days, int(values["others"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"these are no counts: {values!r}") from error

    def to_json(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return {"days": dict(self.days), "others": self.others}


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
    others = client.count_ratings(None, days[0]) + client.count_ratings(tomorrow, None)
    return Counts({day.isoformat(): _count_day(client, day) for day in days}, others)


def _count_day(client: MovielensClient, day: date) -> int:
    return client.count_ratings(day, day + _DAY)
