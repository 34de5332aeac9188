"""Rows against the contract: from parsed JSON to a dataframe that can be trusted."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.ratings.schema import Column, Table

_SHOWN = 80


class BadRowError(ValueError):
    """A row breaks the contract; the message names the row (from 0), the column and what was found."""


def to_frame(rows: list[Any], table: Table) -> pl.DataFrame:
    """Build a dataframe of ``table`` from parsed JSON objects; further keys are dropped.

    Whole columns are checked at once; only when one fails are rows looked at singly, to name the first bad one.

    Raises:
        BadRowError: A row is no object, lacks a column, holds a wrong value, or is not in strict order after its
            predecessor (out of order, or the same row again).
    """
    import polars as pl

    columns = _columns(rows, table)
    if columns is None:
        raise BadRowError(_first_problem(rows, table))
    try:
        frame = pl.DataFrame(columns, schema=table.polars_schema())
    except UnicodeEncodeError as error:
        raise BadRowError(f"a text is not valid Unicode: {error.object[error.start : error.end]!a}") from error
    _check_order(frame, table)
    return frame


def _columns(rows: list[Any], table: Table) -> dict[str, list[Any]] | None:
    try:
        columns = {column.name: [row[column.name] for row in rows] for column in table.columns}
    except (KeyError, TypeError, IndexError):
        return None
    accepted = all(column.accepts(columns[column.name]) for column in table.columns)
    return columns if accepted else None


def _first_problem(rows: list[Any], table: Table) -> str:
    problems = (_problem(row, column) for row in enumerate(rows) for column in table.columns)
    return next(problem for problem in problems if problem)


def _problem(numbered_row: tuple[int, Any], column: Column) -> str | None:
    number, row = numbered_row
    if not isinstance(row, dict):
        return f"row {number} is {_shown(row)}, expected an object"
    if column.name not in row:
        return f"row {number} has no column {column.name!r}: {_shown(row)}"
    value = row[column.name]
    if column.accepts([value]):
        return None
    return f"row {number}, column {column.name!r}: found {_shown(value)}, expected {column.expects}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _check_order(frame: pl.DataFrame, table: Table) -> None:
    in_order = frame.select(_strictly_after_predecessor(table.key).alias("in_order")).to_series()
    if in_order.all():
        return
    number = in_order.arg_min() or 0
    row, before = frame.select(table.key).row(number), frame.select(table.key).row(number - 1)
    what = "is the same row again" if row == before else f"comes after {before}"
    raise BadRowError(f"row {number}: ({', '.join(table.key)}) = {row} {what}, expected rising order")


def _strictly_after_predecessor(key: tuple[str, ...]) -> pl.Expr:
    import polars as pl

    def later_by(rest: pl.Expr, name: str) -> pl.Expr:
        here, before = pl.col(name), pl.col(name).shift()
        return (here > before) | ((here == before) & rest)

    return reduce(later_by, reversed(key), pl.lit(value=False)).fill_null(value=True)
