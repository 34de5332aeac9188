"""Check rows against a table's schema: whole columns at once, and single rows only to name the wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from airflow_movielens.ratings.schema import Column, Table


def frame_of_objects(rows: Sequence[Any], table: Table) -> pl.DataFrame | None:
    """Return parsed JSON objects as a dataframe of ``table``; other keys are dropped.

    Returns:
        The rows in their order, with the table's columns and dtypes; None if a row is no object, lacks a column or
        holds a wrong value.
    """
    import polars as pl

    try:
        columns = [[row[column.name] for row in rows] for column in table.columns]
    except (KeyError, TypeError, IndexError):
        return None
    if not all(map(_accepts, table.columns, columns)):
        return None
    try:
        series = (
            pl.Series(column.name, values, getattr(pl, column.dtype))
            for column, values in zip(table.columns, columns, strict=True)
        )
        return pl.DataFrame(list(series))
    except UnicodeEncodeError:
        return None


def frame_of_columns(sent: pl.DataFrame, table: Table) -> pl.DataFrame | None:
    """Cast columns to the table's dtypes if this changes no value; other columns are dropped.

    Args:
        sent: A dataframe with at least the table's columns.
        table: The table of the rows.

    Returns:
        The rows in their order, with the table's columns and dtypes; None if a value is missing or wrong.
    """
    import polars as pl

    columns = [_exactly(sent[column.name], column) for column in table.columns]
    known = [column for column in columns if column is not None]
    return pl.DataFrame(known) if len(known) == len(columns) else None


def _exactly(values: pl.Series, column: Column) -> pl.Series | None:
    import polars as pl

    if not _is_of_kind(values.dtype, column):
        return None
    if values.null_count() and type(None) not in column.types:
        return None
    if column.values is not None and not _are_all_in(values, column.values):
        return None
    # Values that do not fit become null.
    exact = values.cast(getattr(pl, column.dtype), strict=False)
    if column.limits is not None and not _are_all_within(exact, column.limits):
        return None
    return exact if exact.null_count() == values.null_count() else None


def _is_of_kind(dtype: pl.DataType, column: Column) -> bool:
    """Return whether values of a dtype may be those of a column: numbers, text, or true and false."""
    import polars as pl

    if int in column.types:
        return dtype.is_integer() or (float in column.types and dtype.is_float())
    return dtype in ({pl.Boolean} if bool in column.types else {pl.String, pl.Categorical, pl.Null})


def _are_all_within(values: pl.Series, limits: tuple[int, int]) -> bool:
    least, most = cast("int | None", values.min()), cast("int | None", values.max())
    return least is None or most is None or (limits[0] <= least and most <= limits[1])


def _are_all_in(values: pl.Series, allowed: frozenset[float]) -> bool:
    """Return whether all values are allowed ones, which must be multiples of the smallest one, a power of 2."""
    import polars as pl

    # Integers themselves would overflow.
    numbers = values if values.dtype.is_float() else values.cast(pl.Float64)
    steps = numbers / min(allowed)
    # NaN becomes null too. Casts take a tenth of the time of `is_in`.
    whole = steps.cast(pl.UInt8, strict=False)
    if whole.null_count() or not (whole.cast(steps.dtype) == steps).all():
        return False
    return steps.is_empty() or (cast("int", whole.min()) >= 1 and cast("int", whole.max()) <= len(allowed))


def checked_objects(rows: Sequence[Any], table: Table, place_of: Callable[[int], str]) -> pl.DataFrame:
    """Return Python objects as a dataframe of ``table``; other keys are dropped.

    Args:
        rows: The objects.
        table: The table of the rows.
        place_of: Returns the place of a row for messages, given its number from 0.

    Raises:
        ValueError: A row is no object, lacks a column or has a wrong value; the message names the first one.
    """
    frame = frame_of_objects(rows, table)
    if frame is None:
        raise ValueError(_first_problem(rows, rows, table, place_of))
    return frame


def checked_columns(sent: pl.DataFrame, table: Table, place_of: Callable[[int], str]) -> pl.DataFrame:
    """Cast columns to the table's dtypes; datetimes become Unix seconds, in UTC if they have no time zone.

    Args:
        sent: A dataframe with at least the table's columns.
        table: The table of the rows.
        place_of: Returns the place of a row for messages, given its number from 0.

    Raises:
        ValueError: A value is missing, wrong, or would change; the message names the first one.
    """
    import polars as pl

    seconds = sent.with_columns(
        _whole_seconds(name) for name, dtype in sent.schema.items() if isinstance(dtype, pl.Datetime)
    )
    frame = frame_of_columns(seconds, table)
    if frame is None:
        rows = seconds.to_dicts()
        frame = frame_of_objects(rows, table)
        if frame is None:
            raise ValueError(_first_problem(rows, sent.iter_rows(named=True), table, place_of))
    return frame


def _whole_seconds(name: str) -> pl.Expr:
    import polars as pl

    moment = pl.col(name)
    whole = moment.dt.epoch("s")
    return pl.when(moment == moment.dt.truncate("1s")).then(whole).alias(name)


def _first_problem(rows: Iterable[Any], originals: Iterable[Any], table: Table, place_of: Callable[[int], str]) -> str:
    for number, (row, original) in enumerate(zip(rows, originals, strict=True)):
        if problem := find_problem(row, table):
            name, words = problem
            column = next((column for column in table.columns if column.name == name), None)
            if column is not None and isinstance(original, dict) and name in original and row[name] != original[name]:
                words = f"found {shown(original[name])}, expected {column.expects}"
            return f"{place_of(number)}: {name}: {words}" if name else f"{place_of(number)} {words}"
    raise AssertionError("rows without a problem make a dataframe")


def is_rising(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Return whether each row is greater than the one before, by the columns of ``key`` in their order."""
    pairs = [(frame[name].slice(1), frame[name].head(-1)) for name in key]
    while pairs:
        here, before = pairs.pop(0)
        if not (here >= before).all():
            return False
        tied = here == before
        if not tied.any():
            return True
        pairs = [(later.filter(tied), earlier.filter(tied)) for later, earlier in pairs]
    return False


def find_problem(row: Any, table: Table) -> tuple[str, str] | None:
    """Return the first problem that keeps a parsed JSON value from being a row of ``table``.

    Returns:
        The name of the column (empty if the row as a whole is wrong), and what was found and expected, in words; None
        if nothing is wrong.
    """
    if not isinstance(row, dict):
        return "", f"is {shown(row)}, expected an object"
    return next((problem for column in table.columns if (problem := _find_problem(row, column))), None)


def _find_problem(row: dict[str, Any], column: Column) -> tuple[str, str] | None:
    if column.name not in row:
        return column.name, f"is missing in {shown(row)}"
    value = row[column.name]
    if not _accepts(column, [value]):
        return column.name, f"found {shown(value)}, expected {column.expects}"
    if isinstance(value, str) and not _is_unicode(value):
        return column.name, f"found {shown(value)}, which is not valid Unicode"
    return None


def _accepts(column: Column, values: Sequence[Any]) -> bool:
    try:
        return column.accepts(values)
    except TypeError:  # not hashable
        return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
