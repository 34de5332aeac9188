"""What may be wrong with a day, in words."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from airflow_movielens.plugin.partitions.partition import Partition


class Status(StrEnum):
    """What may be wrong with a day, the most severe first. A day may have several."""

    FAILED = "failed"
    """The last fetch failed."""
    MISSING = "missing"
    """No fetch is known, or the fetch of another window overwrote the file."""
    OUTDATED = "outdated"
    """A ranking was made before the content of the day changed."""
    DOUBLE = "double"
    """Two files have the day."""
    LATE = "late"
    """The content of the day changed after a ranking of it."""
    UNUSUAL = "unusual"
    """There are many more or many fewer ratings than on the days before."""
    QUARANTINED = "quarantined"
    """Rows broke the contract."""
    EMPTY = "empty"
    """The file has no rating."""

    @property
    def words(self) -> str:
        """The status in a list of days."""
        return _WORDS[self]

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should fix it. The others are only worth knowing."""
        return self in (Status.FAILED, Status.MISSING, Status.OUTDATED)


_WORDS = {
    Status.FAILED: "last fetch failed",
    Status.MISSING: "never fetched",
    Status.OUTDATED: "rankings out of date",
    Status.DOUBLE: "in more than one file",
    Status.LATE: "late",
    Status.UNUSUAL: "unusual number of ratings",
    Status.QUARANTINED: "rows quarantined",
    Status.EMPTY: "empty",
}


def describe(day: date, partition: Partition | None, statuses: Iterable[Status]) -> str:
    """Return a day in one line, such as ``2015-03-07: 12,345 ratings, late``."""
    words = [_words(status, partition) for status in statuses if status is not Status.EMPTY]
    has_file = partition is not None and partition.current is not None
    ratings = [counted(partition.rows, "rating")] if partition is not None and has_file else []
    return f"{day}: {', '.join(ratings + words) or 'in a file of a longer window'}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 rating`` or ``1,200 ratings``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _words(status: Status, partition: Partition | None) -> str:
    if partition is None:
        return status.words
    if status is Status.FAILED and partition.current is None:
        return "fetch failed, no file"
    if status is Status.MISSING and partition.overwritten_by is not None:
        return "file overwritten"
    if status is Status.QUARANTINED:
        return f"{counted(partition.quarantined, 'row')} quarantined"
    return status.words
