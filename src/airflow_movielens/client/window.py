"""A window of whole UTC days, ``[start, end)``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from datetime import tzinfo

_DAY_AND_CLOCK_CHANGE = 26 * 3600
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(_DAY.pattern + r"[T ]\d{2}:\d{2}\S*(?:Z|[+-]\d{2}:\d{2})", re.ASCII)


def parse_day(value: str | date, name: str = "date") -> date:
    """Read a whole UTC day.

    Args:
        value: ``YYYY-MM-DD``, a ``date``, or a midnight in UTC as a ``datetime`` or an ISO string such as
            ``2024-01-01T00:00:00+00:00``, which needs its offset. A ``datetime`` without a time zone is in UTC. Spaces
            around a string are ignored.
        name: The name of the value in error messages.

    Raises:
        FatalError: The value is none of these.
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
