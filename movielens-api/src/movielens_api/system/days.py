"""UTC days and Unix seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime

SECONDS_PER_DAY = 86_400


def start_of_day(day: date) -> int:
    """Return the Unix second at which a UTC day starts."""
    return (day - date(1970, 1, 1)).days * SECONDS_PER_DAY


def day_of(timestamp: int) -> date:
    """Return the UTC day of a Unix timestamp."""
    return datetime.fromtimestamp(timestamp, UTC).date()


def format_time(timestamp: int) -> str:
    """Write a Unix timestamp as ``YYYY-MM-DD hh:mm:ss``, in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
