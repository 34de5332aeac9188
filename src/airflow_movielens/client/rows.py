"""What is passed on inside the client: checked rows, pages, batches, and bookmarks to go on from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.client.errors import Exchange

RowKey = tuple[Any, ...]
"""The values of a row as it was sent, in the order of the table's columns; to tell whether a row is the same row."""

PaginationKind = Literal["offset", "section", "cursor"]


@dataclass(frozen=True)
class BadRow:
    """A row that breaks the contract.

    Attributes:
        url: The request whose answer held it, without credentials.
        number: Its place in that answer, from 0.
        column: The column that is wrong; empty if the row as a whole is (no object, or out of order).
        problem: What was found and what was expected, in words.
        row: The row as it was sent.
    """

    url: str
    number: int
    column: str
    problem: str
    row: Any

    def may_be_between(self, start: int | None, end: int | None) -> bool:
        """Whether its timestamp lies from one Unix second to before another, or cannot be read."""
        timestamp = self.row.get("timestamp") if isinstance(self.row, dict) else None
        if type(timestamp) is not int:
            return True
        return (start is None or start <= timestamp) and (end is None or timestamp < end)

    def __str__(self) -> str:
        return (
            f"row {self.number}, column {self.column!r}: {self.problem}"
            if self.column
            else (f"row {self.number}: {self.problem}")
        )


@dataclass(frozen=True)
class Rows:
    """The rows of an answer, or of a piece of a streamed one, checked against the contract.

    Attributes:
        good: Those that keep it, in canonical order, with the table's columns and dtypes.
        count: How many were sent, the bad ones too.
        first: The first as it was sent; None if none was.
        last: The last as it was sent; None if none was.
        bad: Those that break the contract; never any unless they are to be quarantined.
    """

    good: pl.DataFrame
    count: int
    first: RowKey | None = None
    last: RowKey | None = None
    bad: tuple[BadRow, ...] = ()


def without_first(rows: Rows) -> Rows:
    """The rows but for the first that was sent."""
    if rows.count <= 1:
        return Rows(rows.good.clear(), 0)
    first_is_bad = bool(rows.bad) and rows.bad[0].number == 0
    good, bad = (rows.good, rows.bad[1:]) if first_is_bad else (rows.good.slice(1), rows.bad)
    return Rows(good, rows.count - 1, None, rows.last, bad)


@dataclass(frozen=True)
class Page:
    """One page of a table.

    Attributes:
        rows: Its rows.
        total: How many rows the server says the whole window has; None if it does not say.
        snapshot: The server's name for the state of the data that the page is from; None if it names none.
        next_url: From ``Link: …; rel="next"``, absolute; None if there is none.
        section_url: From ``Link-Template: "…{&offset,limit}"; rel="section"``, absolute and without the braces: with
            ``&offset=…&limit=…`` behind it, a section of this very snapshot and window; None if there is none.
        media_type: The format it came in.
        exchange: Where it came from, for error messages.
    """

    rows: Rows
    total: int | None
    snapshot: str | None
    next_url: str | None
    section_url: str | None
    media_type: str
    exchange: Exchange


def without_host(url: str | None) -> str | None:
    """Path and query of a URL, for a bookmark: what goes on elsewhere goes to the host that is configured there."""
    if url is None:
        return None
    path, query = urlsplit(url)[2:4]
    # Two slashes would begin a host.
    return urlunsplit(("", "", f"/.{path}" if path.startswith("//") else path, query, ""))


@dataclass(frozen=True)
class Bookmark:
    """How to go on behind a batch, in this process or another one. JSON knows all its values.

    Attributes:
        kind: The kind of pagination.
        count: How many rows of the window came so far, as they were sent.
        page_size: Rows to ask for in one request.
        total: How many rows the window was said to have; None if the server does not say.
        last: The last row so far, as it was sent; None if none came.
        last_good: The last row so far that keeps the contract; None if none does.
        snapshot: The name of the state of the data; None if the server names none.
        url: Where to go on, without scheme and host: the section or the next page; None for offsets.
        media_type: The format of the rows.
    """

    kind: PaginationKind
    count: int
    page_size: int
    total: int | None
    last: RowKey | None = None
    last_good: RowKey | None = None
    snapshot: str | None = None
    url: str | None = None
    media_type: str = ""

    def behind(self, rows: Rows) -> Bookmark:
        """How to go on behind further rows."""
        last_good = rows.good.row(-1) if len(rows.good) else self.last_good
        return replace(self, count=self.count + rows.count, last=rows.last or self.last, last_good=last_good)

    def to_dict(self) -> dict[str, Any]:
        """The bookmark in values that JSON knows."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Bookmark:
        """Read what `to_dict` gave, perhaps after a way through JSON.

        Raises:
            ValueError: It is none.
        """
        try:
            keys = {name: values[name] and tuple(values[name]) for name in ("last", "last_good")}
            return cls(**{**values, **keys})
        except (TypeError, KeyError) as error:
            raise ValueError(f"this is no bookmark: {values!r}") from error


@dataclass(frozen=True)
class Batch:
    """Some rows of a window, behind those of the batch before.

    Attributes:
        rows: The rows; none of them was in an earlier batch.
        bookmark: How to go on behind them.
        is_last: Whether the window is complete and verified with this batch.
    """

    rows: Rows
    bookmark: Bookmark
    is_last: bool = False

    def between(self, start: int | None, end: int | None) -> Batch:
        """The batch with only the rows from one Unix second to before another; bad rows without a readable one stay.

        The bookmark still counts all rows.
        """
        import polars as pl

        within = pl.lit(value=True)
        if start is not None:
            within &= pl.col("timestamp") >= start
        if end is not None:
            within &= pl.col("timestamp") < end
        bad = tuple(row for row in self.rows.bad if row.may_be_between(start, end))
        return replace(self, rows=replace(self.rows, good=self.rows.good.filter(within), bad=bad))
