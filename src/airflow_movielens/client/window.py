"""Windows of whole days, ``[start, end)``: UTC days, and the days of a server in another time zone.

A midnight may not exist or exist twice, because some zones change their clocks at midnight. Only the server knows which
moment it uses, so both are allowed for: more days are requested rather than fewer, and rows outside of the window are
dropped afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from airflow_movielens.client.errors import FatalError
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from datetime import tzinfo

_DAY_AND_CLOCK_CHANGE = 26 * 3600
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(_DAY.pattern + r"[T ]\d{2}:\d{2}\S*(?:Z|[+-]\d{2}:\d{2})", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = (0, 1, 2)
"""No time zone differs from UTC by a day or more."""


def parse_day(value: str | date, name: str = "date") -> date:
    """Read a whole UTC day.

    Args:
        value: ``YYYY-MM-DD``, a ``date``, or a midnight in UTC as a ``datetime`` or an ISO string such as
            ``2024-01-01T00:00:00+00:00``, which needs its offset. A ``datetime`` without a time zone is in UTC. Spaces
            around a string are ignored.
        name: The name of the value in error messages.

    Raises:
        FatalError: The value is not a day.
    """
    if isinstance(value, datetime):
        return _day_of_midnight(value, name)
    if isinstance(value, date):
        return value
    text = value.strip() if isinstance(value, str) else ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is not None:
        return _day_of_midnight(moment, name)
    raise FatalError(f"{name} {shown(value)} is not a day: give an existing day as YYYY-MM-DD")


def _day_of_midnight(value: datetime, name: str) -> date:
    try:
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        clock = moment.timetz()
    except OverflowError:
        raise FatalError(f"{name} {value.isoformat()} is not a day: its UTC day is outside the calendar") from None
    except ValueError:  # pandas.NaT
        raise FatalError(f"{name} {value} is not a day: give an existing day as YYYY-MM-DD") from None
    # A pandas.Timestamp may have nanoseconds.
    if clock != time(tzinfo=UTC) or getattr(moment, "nanosecond", 0) != 0:
        raise FatalError(
            f"{name} {value.isoformat()} is not a midnight in UTC: windows are whole UTC days, "
            "give the day as YYYY-MM-DD"
        )
    return moment.date()


@dataclass(frozen=True)
class Window:
    """Whole UTC days from ``start`` (inclusive) to ``end`` (exclusive); None leaves that side open.

    Raises:
        FatalError: ``start`` lies after ``end``.
    """

    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise FatalError(f"the window is reversed: start_date {self.start} lies after end_date {self.end}")

    @classmethod
    def of(cls, start_date: str | date | None, end_date: str | date | None) -> Window:
        """Build a window from what users give; see `parse_day` for the forms."""
        start = None if start_date is None else parse_day(start_date, "start_date")
        end = None if end_date is None else parse_day(end_date, "end_date")
        return cls(start, end)

    def query(self) -> dict[str, str]:
        """Return the window as query parameters of the API."""
        bounds = {"start_date": self.start, "end_date": self.end}
        return {name: day.isoformat() for name, day in bounds.items() if day is not None}

    def timestamps(self) -> tuple[int | None, int | None]:
        """Return the bounds in Unix seconds, the end excluded; None for an open side."""
        start = None if self.start is None else midnight(self.start)
        return start, None if self.end is None else midnight(self.end)

    def day_of(self, timestamp: int) -> date | None:
        """Return the day of a Unix second, or None if the calendar lacks it."""
        try:
            return datetime.fromtimestamp(timestamp, self._time_zone).date()
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def _time_zone(self) -> tzinfo:
        return UTC

    def misses(self, timestamp: int) -> str:
        """Return why a response may hold a row with a timestamp outside of the window, and how to fix it."""
        found = f"timestamp {timestamp} lies outside the window {self}"
        start, end = self.timestamps()
        if any(bound is not None and abs(timestamp - bound) <= _DAY_AND_CLOCK_CHANGE for bound in (start, end)):
            is_after = end is not None and timestamp >= end
            also = (
                ". Or the server treats end_date as the last day; it must be the day after the last" if is_after else ""
            )
            return (
                f"{found}. The server's days do not seem to be UTC days: set time_zone to the time zone of its days, "
                f"such as Europe/Berlin{also}"
            )
        return f"{found}: the server ignores start_date and end_date, or its timestamps are not Unix seconds"

    def __str__(self) -> str:
        return f"[{self.start or '…'}, {self.end or '…'})"


def midnight(day: date) -> int:
    """Return the Unix second at which a UTC day begins."""
    return int(datetime.combine(day, time(), tzinfo=UTC).timestamp())


def shifted(day: date, days: int) -> date | None:
    """Return the day ``days`` later, or None if the calendar (years 1 to 9999) lacks it."""
    try:
        return day + timedelta(days)
    except OverflowError:
        return None


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
