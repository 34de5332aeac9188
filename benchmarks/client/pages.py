"""Pages of ratings, made of parts without copying."""

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
        first: The first row of the window.
        end: The row after the last one of the window.
        offset: The number of rows of the window to skip.
        limit: The maximum number of rows; None if not given.
    """

    first: int
    end: int
    offset: int
    limit: int | None

    @classmethod
    def from_query(cls, query: dict[str, list[str]], dataset: Dataset) -> Page:
        """Read a query: a window of days, or a cursor, which holds a window of rows."""
        if "cursor" in query:
            first, end = (int(row) for row in query["cursor"][0].split("-"))
        else:
            days = (query.get("start_date", [FIRST_DAY])[0], query.get("end_date", [LAST_DAY])[0])
            first, end = dataset.bounds(*(date.fromisoformat(day) for day in days))
        return cls(first, end, int(query.get("offset", ["0"])[0]), int(query["limit"][0]) if "limit" in query else None)

    def rows(self, default_limit: int) -> tuple[int, int]:
        """Return the first row and the row after the last one."""
        start = min(self.first + self.offset, self.end)
        return start, min(start + (default_limit if self.limit is None else self.limit), self.end)


def json_page(page: Page, dataset: Dataset) -> list[Part]:
    """Return the parts of a page in the envelope of the API."""
    start, stop = page.rows(DEFAULT_LIMIT)
    limit = DEFAULT_LIMIT if page.limit is None else page.limit
    begin, end = (int(place) for place in dataset.row_starts[[start, stop]])
    after = b'],"offset":%d,"limit":%d,"total":%d}' % (page.offset, limit, page.end - page.first)
    # Without the comma after the last row.
    return [b'{"result":[', dataset.json_rows[begin : max(end - 1, begin)], after]
