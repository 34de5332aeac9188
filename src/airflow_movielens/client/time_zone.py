"""The days of a server that cuts them in its own time zone.

Where a midnight does not exist or exists twice (clocks are changed at midnight in some zones), nobody but the server
knows which moment it takes. Both are allowed for: more days are asked for rather than fewer, and what does not lie in
the window is dropped afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.window import Window, midnight, shifted
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = (0, 1, 2)
"""No time zone is ahead of UTC or behind it by a day or more."""


def find_zone(name: str) -> tzinfo:
    """Find a time zone by its IANA name, such as ``Asia/Seoul``.

    Raises:
        FatalError: There is none of this name, or this machine has no time zones.
    """
    try:
        return ZoneInfo(name)
    # What ZoneInfo raises for a folder, for a name too long, and for what is no text.
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        pass
    if not available_timezones():
        raise FatalError(f"time_zone {shown(name)} cannot be used: this machine has no time zones, install tzdata")
    raise FatalError(f"time_zone is {shown(name)}: give an IANA name such as Europe/Berlin or Asia/Seoul")


@dataclass(frozen=True)
class ServerDays(Window):
    """Days to ask a server for, and where the timestamps of its answer must lie.

    Attributes:
        bounds: First Unix second inside, and first beyond; None where open.
        time_zone: What the days are days of.
    """

    bounds: tuple[int | None, int | None] = (None, None)
    time_zone: str = "UTC"

    def timestamps(self) -> tuple[int | None, int | None]:
        """See `Window`."""
        return self.bounds

    @property
    def _time_zone(self) -> tzinfo:
        return find_zone(self.time_zone)

    def misses(self, timestamp: int) -> str:
        """See `Window`."""
        return (
            f"timestamp {timestamp} lies outside the days {self}. The server's days do not seem to be days of "
            f"{self.time_zone}: set time_zone to the time zone of its days"
        )

    def __str__(self) -> str:
        return f"{super().__str__()} of {self.time_zone}"


class ServerCalendar:
    """Tells which days of a server cover a window of UTC days.

    Args:
        time_zone: IANA name of the time zone of the server's days.

    Raises:
        FatalError: There is none of this name.
    """

    def __init__(self, time_zone: str) -> None:
        self._name = time_zone
        self._zone = find_zone(time_zone)

    def covering(self, window: Window) -> ServerDays:
        """The fewest days of the server that surely hold all of a window."""
        return self.days(self._last_begun_at(window.start), self._first_from(window.end))

    def inside(self, window: Window) -> ServerDays | None:
        """The most days of the server that surely lie in a window; None if no whole day does."""
        first, beyond = self._first_from(window.start), self._last_begun_at(window.end)
        is_lost = (first is None) != (window.start is None) or (beyond is None) != (window.end is None)
        if is_lost or (first is not None and beyond is not None and first >= beyond):
            return None
        return self.days(first, beyond)

    def days(self, start: date | None, end: date | None) -> ServerDays:
        """Days of the server, with the earliest and the latest moment that may be in them."""
        earliest = None if start is None else min(self._midnights(start))
        latest = None if end is None else max(self._midnights(end))
        return ServerDays(start, end, (earliest, latest), self._name)

    def _last_begun_at(self, utc_day: date | None) -> date | None:
        """The last day that has surely begun when a UTC day begins; None if that lies before the calendar."""
        if utc_day is None:
            return None
        near = (shifted(utc_day, -number) for number in _NEAR)
        return next((day for day in near if day and max(self._midnights(day)) <= midnight(utc_day)), None)

    def _first_from(self, utc_day: date | None) -> date | None:
        """The first day that surely begins when a UTC day begins, or later; None if that lies after the calendar."""
        if utc_day is None:
            return None
        near = (shifted(utc_day, number) for number in _NEAR)
        return next((day for day in near if day and min(self._midnights(day)) >= midnight(utc_day)), None)

    def _midnights(self, day: date) -> tuple[int, int]:
        local = datetime.combine(day, time(), tzinfo=self._zone)
        before, after = (int((local.replace(fold=fold) - _EPOCH).total_seconds()) for fold in (0, 1))
        return before, after
