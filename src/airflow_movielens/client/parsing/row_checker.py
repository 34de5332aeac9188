"""The checks of rows against the contract: columns, values, order and window."""

from __future__ import annotations

import json
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.columns import Columns
from airflow_movielens.client.errors import BadResponseError, BadRow, BadRowsError, DataError
from airflow_movielens.client.rows import Rows
from airflow_movielens.ratings.validation import find_problem, frame_of_columns, frame_of_objects, is_rising

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.rows import SentRow
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

_MIN_ROWS_OF_A_KIND = 2
_ROWS_SIFTED_AT_ONCE = 10_000
"""Rows need some twenty times more memory as Python objects than as columns."""


@contextmanager
def readable_as(form: str, exchange: Exchange) -> Iterator[None]:
    """Turn the errors of parsers in the block into a `BadResponseError`.

    Args:
        form: The expected format, such as ``JSON``.
        exchange: The request and its response.
    """
    import polars as pl

    try:
        yield
    except (ValueError, OSError, RecursionError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BadResponseError(f"the API's response is not {form} ({_shortened(error)})", exchange) from error


_LONGEST_REASON = 200
_LONGEST_VALUE = 200


def _shortened(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}…"


class RowChecker:
    """A checker of the rows of one response, piece by piece; order and row numbers continue across pieces.

    Args:
        table: The table of the rows.
        window: The window that must contain the timestamps, if the rows have any.
        exchange: The request and its response, for error messages.
        quarantine: Whether bad rows are quarantined (`Rows.bad`) instead of raised.
    """

    def __init__(self, table: Table, window: Window, exchange: Exchange, *, quarantine: bool = False) -> None:
        self._table = table
        self._window = window
        self._bounds = window.timestamps()
        self._exchange = exchange
        self._quarantine = quarantine
        self._count = 0
        self._last: SentRow | None = None
        """The key of the last good row."""

    def check_objects(self, rows: Sequence[Any]) -> Rows:
        """Check parsed JSON values.

        Raises:
            DataError: A row lies outside the window, or all rows lack the same column.
            BadRowsError: A row is out of order, or breaks the contract and is not to be quarantined.
        """
        frame = frame_of_objects(rows, self._table)
        checked = None if frame is None else self.check_order(frame)
        return self._sift(rows) if checked is None else checked

    def check_columns(self, sent: pl.DataFrame) -> Rows:
        """Check rows that came as columns: at least those of the table, in any order and with any dtypes.

        Raises:
            DataError: A row lies outside the window, or all rows lack the same column.
            BadRowsError: A row is out of order, or breaks the contract and is not to be quarantined.
        """
        frame = frame_of_columns(sent, self._table)
        if frame is not None and (rows := self.check_order(frame)) is not None:
            return rows
        if len(sent) <= _ROWS_SIFTED_AT_ONCE:
            return self._sift(sent.to_dicts())
        return join([self.check_columns(part) for part in sent.iter_slices(_ROWS_SIFTED_AT_ONCE)])

    def check_order(self, rows: pl.DataFrame | Columns) -> Rows | None:
        """Check the order of rows whose values are allowed, and that they lie in the window.

        Returns:
            The rows; None if one is out of order or outside, and then `check_objects` says which one.
        """
        return self._take(rows) if self._follows(rows) else None

    def _follows(self, rows: pl.DataFrame | Columns) -> bool:
        if not len(rows):
            return True
        first, last = (dict(zip(self._table.column_names, rows.row(place), strict=True)) for place in (0, -1))
        return (
            (rows.is_rising() if isinstance(rows, Columns) else is_rising(rows, self._table.key))
            and (self._last is None or self._last < self._key(first))
            # The rows are in order, so all others lie between these two.
            and self._lies_inside(first)
            and self._lies_inside(last)
        )

    def _take(self, rows: pl.DataFrame | Columns) -> Rows:
        if not len(rows):
            return Rows(rows, 0)
        self._count += len(rows)
        first, last = rows.row(0), rows.row(-1)
        self._last = self._key(dict(zip(self._table.column_names, last, strict=True)))
        return Rows(rows, len(rows), first, last)

    def _sift(self, rows: Sequence[Any]) -> Rows:
        good, bad = [], []
        self._refuse_missing_column(rows)
        for number, row in enumerate(rows, self._count):
            self._refuse_outside(row, number)
            if problem := find_problem(row, self._table) or self._repetition(row):
                bad.append(BadRow(self._exchange.url, number, *problem, _as_json(row)))
                self._raise_unless_quarantined(bad)
            elif problem := self._disorder(row):
                raise self._error([BadRow(self._exchange.url, number, *problem, _as_json(row))])
            else:
                good.append(row)
                self._last = self._key(row)
        self._count += len(rows)
        frame = frame_of_objects(good, self._table)
        if frame is None:
            raise AssertionError("rows without a problem form a dataframe")
        return Rows(frame, len(rows), self._as_sent(rows[0]), self._as_sent(rows[-1]), tuple(bad))

    def _raise_unless_quarantined(self, bad: list[BadRow]) -> None:
        if not self._quarantine:
            raise self._error(bad)

    def _error(self, bad: list[BadRow]) -> BadRowsError:
        return BadRowsError(f"bad {self._table.name} from the API: {bad[0]}", self._exchange, bad)

    def _refuse_missing_column(self, rows: Sequence[Any]) -> None:
        if not self._quarantine or len(rows) < _MIN_ROWS_OF_A_KIND:
            return
        for name in self._table.column_names:
            if all(isinstance(row, dict) and name not in row for row in rows):
                message = f"all {len(rows)} rows of the API's response lack {name!r}: these are not {self._table.name}"
                raise DataError(message, self._exchange)

    def _refuse_outside(self, row: Any, number: int) -> None:
        # Such a row shows that the response is for another window, whatever else is wrong with the row.
        if isinstance(row, dict) and type(row.get("timestamp")) is int and not self._lies_inside(row):
            raise DataError(
                f"row {number} of the API's response: {self._window.misses(row['timestamp'])}", self._exchange
            )

    def _repetition(self, row: dict[str, Any]) -> tuple[str, str] | None:
        if self._key(row) != self._last:
            return None
        return "", f"({', '.join(self._table.key)}) = {self._last} is the same row again, expected rising order"

    def _disorder(self, row: dict[str, Any]) -> tuple[str, str] | None:
        key = self._key(row)
        if self._last is None or self._last < key:
            return None
        return "", f"({', '.join(self._table.key)}) = {key} comes after {self._last}, expected rising order"

    def _lies_inside(self, row: dict[str, Any]) -> bool:
        if "timestamp" not in self._table.key:
            return True
        start, end = self._bounds
        timestamp = row["timestamp"]
        return (start is None or start <= timestamp) and (end is None or timestamp < end)

    def _key(self, row: dict[str, Any]) -> SentRow:
        return tuple(row[name] for name in self._table.key)

    def _as_sent(self, row: Any) -> SentRow:
        sent = _as_json(row)
        values = [sent.get(name) for name in self._table.column_names] if isinstance(sent, dict) else [sent]
        return tuple(map(_short, values))


def join(pieces: Sequence[Rows]) -> Rows:
    """Join the pieces of a response, at least one, in their order."""
    import polars as pl

    if len(pieces) == 1:
        return pieces[0]
    sent = [piece for piece in pieces if piece.count] or pieces
    good = pl.concat([piece.good for piece in pieces])
    bad = tuple(row for piece in pieces for row in piece.bad)
    return Rows(good, sum(piece.count for piece in pieces), sent[0].first, sent[-1].last, bad)


def _short(value: Any) -> Any:
    """Return a value of a row as it is, or the digest of a long one: the last row is kept in the checkpoint."""
    text = json.dumps(value)
    return value if len(text) <= _LONGEST_VALUE else sha256(text.encode()).hexdigest()


def _as_json(row: Any) -> Any:
    """Return the row with values that JSON lacks as text: NaN and infinity, and in columns dates, bytes and so on."""
    return json.loads(json.dumps(row, default=str), parse_constant=str)
