"""The kinds of ranking in a catalogue: the rankings of one path and method, a file for each day."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_movielens.plugin.ranking_scores import SCORES
from airflow_movielens.ratings.paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_movielens.storage.catalogue import Record

_DATE = re.compile(r"(?<!\d)\d{4}([-_/]?)\d{2}\1\d{2}(?!\d)(T\d{2}([\d:.+-]*\d)?Z?)?")


FACTS = ("end_date", "method", "parameters", "start_date")
"""The facts of a record that are needed here."""


@dataclass(frozen=True)
class RankingKind:
    """Rankings that differ only in the day.

    Attributes:
        name: Their path below the data root, with ``{day}`` and ``{method}`` in place of these.
        method: The ranking method.
        rankings: The last record of each file, by the last day that the ranking covers, ascending.
    """

    name: str
    method: str
    rankings: dict[date, Record]

    @property
    def last_day(self) -> date:
        """The last day that has a ranking."""
        return next(reversed(self.rankings))

    @cached_property
    def window(self) -> int:
        """The usual number of days from the first to the last one that a ranking covers."""
        lengths = Counter(_window(record) for record in self.rankings.values())
        return max(lengths, key=lambda length: (lengths[length], length))

    def before(self, day: date) -> date | None:
        """Return the last day before another one that has a ranking; None if there is none."""
        return max((known for known in self.rankings if known < day), default=None)

    def after(self, day: date) -> date | None:
        """Return the first day after another one that has a ranking; None if there is none."""
        return min((known for known in self.rankings if known > day), default=None)

    def earlier(self, day: date, days: int, tolerance: int) -> date | None:
        """Return the last day with a ranking that is ``days`` before another one, or up to ``tolerance`` days more."""
        target = day - timedelta(days=days)
        found = self.before(target + timedelta(days=1))
        return found if found is not None and found >= target - timedelta(days=tolerance) else None


def ranking_kinds(records: Iterable[Record], root: str) -> list[RankingKind]:
    """Return the kinds of ranking, sorted by name and method.

    Args:
        records: Records of rankings, by time. Only the last one of a file says what the file holds.
        root: The data root.
    """
    last_of_file = {record.path: record for record in records if record.succeeded}
    folder = _folder(root)
    kinds: dict[tuple[str, str], dict[date, Record]] = {}
    for record in last_of_file.values():
        day = last_day_of(record)
        if day is not None and record.facts.get("start_date") and record.facts.get("method") in SCORES:
            kinds.setdefault((_kind_name(record, folder), record.facts["method"]), {})[day] = record
    return [
        RankingKind(name, method, dict(sorted(rankings.items())))
        for (name, method), rankings in sorted(kinds.items(), key=lambda kind: kind[0])
    ]


def last_day_of(record: Record) -> date | None:
    """Return the last day that a ranking covers; None if it covers none."""
    end = record.facts.get("end_date")
    return date.fromisoformat(end) - timedelta(days=1) if end else None


def ranking_address(record: Record, root: str) -> dict[str, str | None]:
    """Return the query of the URL that shows a ranking: ``page_url(request, "rankings/", **ranking_address(…))``."""
    day = last_day_of(record)
    return {
        "ranking": _kind_name(record, _folder(root)),
        "method": record.facts["method"],
        "day": None if day is None else str(day),
    }


def _folder(root: str) -> str:
    local = local_path(root)
    return (root if local is None else str(local.absolute())).rstrip("/") + "/"


def _kind_name(record: Record, folder: str) -> str:
    name = _DATE.sub("{day}", record.path.removeprefix(folder))
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(record.facts['method'])}(?![A-Za-z0-9])", "{method}", name)


def _window(record: Record) -> int:
    start, end = (date.fromisoformat(record.facts[name]) for name in ("start_date", "end_date"))
    return (end - start).days
