"""A window of whole UTC days, ``[start, end)``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from airflow_movielens.client.errors import FatalError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_day(value: str | date, name: str = "date") -> date:
    """Read a whole UTC day.

    Args:
        value: ``YYYY-MM-DD``, a ``date``, or a ``datetime`` that is a midnight in UTC (no time zone means UTC).
        name: What the value is called in the error message.

    Raises:
        FatalError: The value is none of these.
    """
    if isinstance(value, datetime):
        return _day_of_midnight(value, name)
    if isinstance(value, date):
        return value
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except (TypeError, ValueError):
        pass
    raise FatalError(f"{name} {value!r} is not a day: give an existing day as YYYY-MM-DD")


def _day_of_midnight(value: datetime, name: str) -> date:
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if moment.timetz() != time(tzinfo=UTC):
        raise FatalError(f"{name} {value.isoformat()} is not a midnight in UTC: windows are whole UTC days")
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
        """The window as query parameters of the API."""
        bounds = {"start_date": self.start, "end_date": self.end}
        return {name: day.isoformat() for name, day in bounds.items() if day is not None}

    def timestamps(self) -> tuple[int | None, int | None]:
        """The window's bounds in Unix seconds: first inside, first beyond; None where open."""
        return _midnight(self.start), _midnight(self.end)

    def __str__(self) -> str:
        return f"[{self.start or '…'}, {self.end or '…'})"


def _midnight(day: date | None) -> int | None:
    return None if day is None else int(datetime.combine(day, time(), tzinfo=UTC).timestamp())
