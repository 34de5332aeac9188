"""The values that the client passes around: checked rows, pages, batches, and bookmarks to resume from."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from airflow_movielens.client.columns import Columns

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.client.errors import BadRow, Exchange

_BEGINS_A_HOST = re.compile(r"[/\\]{2}")

SentRow = tuple[Any, ...]
"""The values of a row as it was sent, in the order of the table's columns; equal for the same row."""

PaginationKind = Literal["offset", "section", "cursor"]


@dataclass(frozen=True)
class Rows:
    """The rows of a response, or of a piece of a streamed one, checked against the contract.

    Attributes:
        checked: The rows that keep the contract, in canonical order; see ``good``.
        count: How many rows were sent, including bad ones.
        first: The first row as it was sent; None if there is none.
        last: The last row as it was sent; None if there is none.
        bad: The rows that break the contract; empty unless they are quarantined.
    """

    checked: pl.DataFrame | Columns
    count: int
    first: SentRow | None = None
    last: SentRow | None = None
    bad: tuple[BadRow, ...] = ()

    @cached_property
    def good(self) -> pl.DataFrame:
        """The rows that keep the contract, in canonical order, with the table's columns and dtypes."""
        return self.checked.frame() if isinstance(self.checked, Columns) else self.checked


def without_first(rows: Rows) -> Rows:
    """Return the rows without the first one that was sent."""
    if rows.count <= 1:
        return Rows(rows.good.clear(), 0)
    first_is_bad = bool(rows.bad) and rows.bad[0].number == 0
    checked, bad = (rows.checked, rows.bad[1:]) if first_is_bad else (rows.checked.slice(1), rows.bad)
    return Rows(checked, rows.count - 1, None, rows.last, bad)


@dataclass(frozen=True)
class Page:
    """One page of a table.

    Attributes:
        rows: The rows of the page.
        total: The server's number of rows in the whole window; None if it sends none.
        snapshot: The server's name of the state of the data; None if it sends none.
        next_url: From ``Link: …; rel="next"``, absolute; None if there is none.
        section_url: From ``Link-Template: "…{&offset,limit}"; rel="section"``, absolute and without the braces: with
            ``&offset=…&limit=…`` appended, a section of this snapshot and window; None if there is none.
        media_type: The format of the page.
        exchange: The exchange of the page, for error messages.
        limit: How many rows were requested.
        seconds: How long the exchange took.
    """

    rows: Rows
    total: int | None
    snapshot: str | None
    next_url: str | None
    section_url: str | None
    media_type: str
    exchange: Exchange
    limit: int = 0
    seconds: float = 0.0


def without_host(url: str | None) -> str | None:
    """Return path and query of a URL for a bookmark: a resumed read goes to the host configured there."""
    if url is None:
        return None
    path, query = urlsplit(url)[2:4]
    return urlunsplit(("", "", path, query, ""))


@dataclass(frozen=True)
class Bookmark:
    """Where to resume after a batch, in this process or another one. JSON can hold all of its values.

    Attributes:
        kind: The kind of pagination.
        count: How many rows of the window were sent so far.
        page_size: How many rows the first request asked for; links to next pages ask for as many.
        total: The server's number of rows in the window; None if it sends none.
        last: The last row so far, as it was sent; None if there is none.
        last_good: The last row so far that keeps the contract; None if there is none.
        snapshot: The name of the state of the data; None if the server sends none.
        url: Where to resume, without scheme and host: the section or the next page; None for offsets.
        media_type: The format of the rows.
    """

    kind: PaginationKind
    count: int
    page_size: int
    total: int | None
    last: SentRow | None = None
    last_good: SentRow | None = None
    snapshot: str | None = None
    url: str | None = None
    media_type: str = ""

    def after(self, rows: Rows) -> Bookmark:
        """Return the bookmark after further rows."""
        last_good = rows.checked.row(-1) if len(rows.checked) else self.last_good
        return replace(self, count=self.count + rows.count, last=rows.last or self.last, last_good=last_good)

    def to_dict(self) -> dict[str, Any]:
        """Return the bookmark as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Bookmark:
        """Read the result of `to_dict`, also after a round trip through JSON.

        Raises:
            ValueError: The values are not a bookmark.
        """
        try:
            keys = {name: values[name] and tuple(values[name]) for name in ("last", "last_good")}
            url = values["url"]
            if url is not None and (not url.startswith("/") or _BEGINS_A_HOST.match(url)):
                raise ValueError("the URL of a bookmark must have neither scheme nor host")
            return cls(**{**values, **keys})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this is not a bookmark: {values!r}") from error


@dataclass(frozen=True)
class Batch:
    """Some rows of a window, after those of the batch before.

    Attributes:
        rows: The rows; none of them was in an earlier batch.
        bookmark: Where to resume after them.
        is_last: Whether the window is complete and verified with this batch.
    """

    rows: Rows
    bookmark: Bookmark
    is_last: bool = False

    def between(self, start: int | None, end: int | None) -> Batch:
        """Return the batch with only the rows in ``[start, end)`` in Unix seconds.

        Bad rows without a readable timestamp stay. The bookmark still counts all rows.
        """
        import polars as pl

        within = pl.lit(value=True)
        if start is not None:
            within &= pl.col("timestamp") >= start
        if end is not None:
            within &= pl.col("timestamp") < end
        bad = tuple(row for row in self.rows.bad if row.may_be_between(start, end))
        return replace(self, rows=replace(self.rows, checked=self.rows.good.filter(within), bad=bad))
