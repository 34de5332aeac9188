"""Pages of ratings, made of parts without copying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from benchmarks.client.dataset import Dataset
from benchmarks.client.shapes import SHAPES

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
    def from_query(cls, query: Mapping[str, str], dataset: Dataset, shape: str) -> Page:
        """Read a query: a window of days, or a cursor, which holds a window of rows.

        An API has only those ratings that are prepared in its shape.
        """
        if "cursor" in query:
            first, end = (int(row) for row in query["cursor"].split("-"))
        else:
            days = (query.get("start_date", FIRST_DAY), query.get("end_date", LAST_DAY))
            rows = dataset.json_rows[shape].count
            first, end = (min(row, rows) for row in dataset.bounds(*map(date.fromisoformat, days)))
        return cls(first, end, int(query.get("offset", 0)), int(query["limit"]) if "limit" in query else None)

    def rows(self, default_limit: int) -> tuple[int, int]:
        """Return the first row and the row after the last one."""
        start = min(self.first + self.offset, self.end)
        return start, min(start + (default_limit if self.limit is None else self.limit), self.end)


def json_page(page: Page, dataset: Dataset, shape: str) -> list[Part]:
    """Return the parts of a page in the envelope of the API, in one of `SHAPES`."""
    form, rows = SHAPES[shape], dataset.json_rows[shape]
    limit = DEFAULT_LIMIT if page.limit is None else page.limit
    begin, end = (int(rows.starts[row]) for row in page.rows(DEFAULT_LIMIT))
    # Without the separator after the last row.
    text = rows.text[begin : max(end - len(form.between), begin)]
    return [form.before, text, form.after % (page.offset, limit, page.end - page.first)]
