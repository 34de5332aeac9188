"""Servers whose days are days of another time zone than UTC.

A midnight may not exist or exist twice, because some zones change their clocks at midnight. Only the server knows which
moment it uses, so both are allowed for: more days are requested rather than fewer, and rows outside of the window are
dropped afterwards.
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
"""No time zone differs from UTC by a day or more."""


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name, such as ``Asia/Seoul``.

    Raises:
        FatalError: The name is unknown, or this machine has no time zones.
    """
    try:
        return ZoneInfo(name)
    # ZoneInfo raises these for a folder, for a name that is too long, and for values other than text.
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        pass
    if not available_timezones():
        raise FatalError(f"time_zone {shown(name)} cannot be used: this machine has no time zones, install tzdata")
    raise FatalError(f"time_zone is {shown(name)}: give an IANA name such as Europe/Berlin or Asia/Seoul")


@dataclass(frozen=True)
class ServerDays(Window):
    """Days of a server to request, and the bounds of the timestamps in its response.

    Attributes:
        bounds: The bounds in Unix seconds, the end excluded; None for an open side.
        time_zone: The time zone of the days.
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
    """The calendar of a server: which of its days cover a window of UTC days.

    Args:
        time_zone: IANA name of the time zone of the server's days.

    Raises:
        FatalError: The name is unknown.
    """

    def __init__(self, time_zone: str) -> None:
        self._name = time_zone
        self._zone = find_zone(time_zone)

    def covering(self, window: Window) -> ServerDays:
        """Return the smallest range of the server's days that certainly covers a window."""
        return self.days(self._last_begun_at(window.start), self._first_from(window.end))

    def inside(self, window: Window) -> ServerDays | None:
        """Return the largest range of the server's days that certainly lies in a window, or None."""
        first, beyond = self._first_from(window.start), self._last_begun_at(window.end)
        is_lost = (first is None) != (window.start is None) or (beyond is None) != (window.end is None)
        if is_lost or (first is not None and beyond is not None and first >= beyond):
            return None
        return self.days(first, beyond)

    def days(self, start: date | None, end: date | None) -> ServerDays:
        """Return days of the server, with the earliest and the latest moment that may lie in them."""
        earliest = None if start is None else min(self._midnights(start))
        latest = None if end is None else max(self._midnights(end))
        return ServerDays(start, end, (earliest, latest), self._name)

    def _last_begun_at(self, utc_day: date | None) -> date | None:
        """Return the last day that has certainly begun when a UTC day begins, or None before the calendar."""
        if utc_day is None:
            return None
        near = (shifted(utc_day, -number) for number in _NEAR)
        return next((day for day in near if day and max(self._midnights(day)) <= midnight(utc_day)), None)

    def _first_from(self, utc_day: date | None) -> date | None:
        """Return the first day that certainly begins at or after a UTC day, or None after the calendar."""
        if utc_day is None:
            return None
        near = (shifted(utc_day, number) for number in _NEAR)
        return next((day for day in near if day and min(self._midnights(day)) >= midnight(utc_day)), None)

    def _midnights(self, day: date) -> tuple[int, int]:
        local = datetime.combine(day, time(), tzinfo=self._zone)
        before, after = (int((local.replace(fold=fold) - _EPOCH).total_seconds()) for fold in (0, 1))
        return before, after
