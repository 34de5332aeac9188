"""Pages of ratings, of parts that are not copied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from benchmarks.client.dataset import Dataset

LAST_DAY = "9999-12-31"
FIRST_DAY = "1970-01-01"
DEFAULT_LIMIT = 100
Part = bytes | memoryview


@dataclass(frozen=True)
class Page:
    """Some rows of a window.

    Attributes:
        first: the window's first row.
        end: the row after its last.
        offset: how many rows of the window to skip.
        limit: how many rows to return at most; None if that was not said.
    """

    first: int
    end: int
    offset: int
    limit: int | None

    @classmethod
    def asked_for(cls, query: dict[str, list[str]], dataset: Dataset) -> Page:
        """Read a query: a window of days, or a cursor, which holds a window of rows."""
        if "cursor" in query:
            first, end = (int(row) for row in query["cursor"][0].split("-"))
        else:
            days = (query.get("start_date", [FIRST_DAY])[0], query.get("end_date", [LAST_DAY])[0])
            first, end = dataset.bounds(*(date.fromisoformat(day) for day in days))
        return cls(first, end, int(query.get("offset", ["0"])[0]), int(query["limit"][0]) if "limit" in query else None)

    def rows(self, default_limit: int) -> tuple[int, int]:
        """Return the first row and the row after the last."""
        start = min(self.first + self.offset, self.end)
        return start, min(start + (default_limit if self.limit is None else self.limit), self.end)


def json_page(page: Page, dataset: Dataset) -> list[Part]:
    """Return the parts of a page in the envelope of the API."""
    start, stop = page.rows(DEFAULT_LIMIT)
    limit = DEFAULT_LIMIT if page.limit is None else page.limit
    begin, end = (int(place) for place in dataset.row_starts[[start, stop]])
    after = b'],"offset":%d,"limit":%d,"total":%d}' % (page.offset, limit, page.end - page.first)
    # Without the comma behind the last row.
    return [b'{"result":[', dataset.json_rows[begin : max(end - 1, begin)], after]
