"""Read rows from CSV as people save it: exactly, or with an error that names the line.

A regular block is parsed as columns. Any other block is parsed line by line, so that an error can name the line.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import find_columns
from airflow_movielens.ratings.text_files import is_plain, text_blocks
from airflow_movielens.ratings.validation import checked_objects, frame_of_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from airflow_movielens.ratings.paths import Compression
    from airflow_movielens.ratings.schema import Column, Table

_SEPARATORS = (",", ";", "\t", "|")
# Spreadsheets write such a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t ]*', re.IGNORECASE)
_WHOLE = re.compile(r"[ \t]*([+-]?[0-9]+)[ \t]*", re.ASCII)
_NUMBER = re.compile(r"[ \t]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t]*", re.ASCII)
_DATED = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.0+)?(?:Z|\+00:?00| UTC)?", re.ASCII
)
_DATED_IN_POLARS = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}$"
_MAX_DIGITS = 20
_TRUE_OR_FALSE = {"true": True, "false": False}


@dataclass(frozen=True)
class _Form:
    """The form of a file: the separator, and the positions of the columns to read."""

    separator: str
    names: tuple[str, ...]
    places: dict[str, int]


def read_csv(
    path: Path, compression: Compression, table: Table, irregular: list[int] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a CSV file in batches.

    Args:
        path: The file. Its first line names the columns, in any order; the separator is a comma, semicolon, tab or bar.
        compression: The compression of the whole file.
        table: The table of the rows; further columns are dropped.
        irregular: Receives the number of the line before each block that Polars alone would not read the same way.

    Raises:
        ValueError: The file is not such a text, or has a wrong row; the message names the line.
        OSError: The file cannot be read.
    """
    lines = _Lines(text_blocks(path, compression))
    form = _read_form(lines, table)
    is_dated = False
    while lines.fill():
        if (frame := _as_columns(lines.block, form, table, is_dated=is_dated)) is not None:
            lines.drop_block()
            yield frame
        else:
            if irregular is not None:
                irregular.append(lines.number)
            found = _line_by_line(lines, form, table)
            is_dated = is_dated or found[1]
            yield found[0]


def scan_csv(path: Path, compression: Compression, table: Table) -> pl.LazyFrame | None:
    """Scan a file in which `read_csv` found no irregular block; None if Polars does not support its beginning."""
    import polars as pl

    lines = _Lines(text_blocks(path, compression))
    form = _read_form(lines, table)
    if lines.number != 1 or not is_plain(path, compression):
        return None
    schema = _schema(form, table)
    rows = pl.scan_csv(
        path, glob=False, has_header=False, skip_rows=1, schema=schema, separator=form.separator,
        decimal_comma=form.separator != ",",
    )  # fmt: skip
    slots = list(schema)
    return rows.select(pl.col(slots[form.places[name]]).alias(name) for name in table.column_names)


def names_in_header(path: Path, compression: Compression) -> list[str]:
    """Return the names in the header of a CSV file, by the separator that divides it into most names.

    Raises:
        ValueError: The file is not a text.
        OSError: The file cannot be read.
    """
    lines = _Lines(text_blocks(path, compression))
    header = lines.next_line() or ""
    if _SEPARATOR_LINE.fullmatch(header):
        header = lines.next_line() or ""
    return max((_fields(header, separator) for separator in _SEPARATORS), key=len)


def _schema(form: _Form, table: Table, *, is_dated: bool = False) -> dict[str, Any]:
    import polars as pl

    schema: dict[str, Any] = {f"column {place}": pl.String for place in range(len(form.names))}
    slots = list(schema)
    for column in table.columns:
        text = is_dated and column.name == "timestamp"
        # In double precision, so that 4.49999999 does not become 4.5.
        dtype = pl.String if text else pl.Float64 if column.dtype == "Float32" else getattr(pl, column.dtype)
        schema[slots[form.places[column.name]]] = dtype
    return schema


class _Lines:
    """The lines of a file: in blocks, or one by one."""

    def __init__(self, blocks: Iterator[tuple[int, bytes]]) -> None:
        self._blocks = blocks
        self.number = 0
        """The number of the line before the block."""
        self.block = b""

    def fill(self) -> bool:
        """Load the next block, and return whether there is one."""
        if not self.block:
            _, self.block = next(self._blocks, (0, b""))
        return bool(self.block)

    def drop_block(self) -> None:
        """Skip to the end of the block."""
        self.number += self.block.count(b"\n")
        self.block = b""

    def next_line(self) -> str | None:
        """Return the next line without its end."""
        if not self.fill():
            return None
        line, _, self.block = self.block.partition(b"\n")
        self.number += 1
        return line.decode().removesuffix("\r")

    def rest_of_block(self) -> Iterator[str]:
        """Yield the lines of the block, and those after it if a row needs them."""
        block, self.block = self.block, b""
        for line in block.decode().removesuffix("\n").split("\n"):
            self.number += 1
            yield f"{line}\n"
        while (line_after := self.next_line()) is not None:
            yield f"{line_after}\n"


def _read_form(lines: _Lines, table: Table) -> _Form:
    header = lines.next_line()
    declared = _SEPARATOR_LINE.fullmatch(header) if header is not None else None
    if declared:
        header = lines.next_line()
    if header is None or not header.strip():
        raise ValueError(f"line {lines.number or 1}: found no header, expected one with {','.join(table.column_names)}")
    problem = ""
    for separator in (declared[1],) if declared else _SEPARATORS:
        names = _fields(header, separator)
        try:
            found = find_columns(names, table.column_names)
        except ValueError as error:
            if not problem or len(names) > 1:
                problem = str(error)
            continue
        return _Form(separator, tuple(names), {name: names.index(given) for name, given in found.items()})
    raise ValueError(f"line {lines.number}: the header {problem}")


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return [line]


def _as_columns(block: bytes, form: _Form, table: Table, *, is_dated: bool) -> pl.DataFrame | None:
    """Parse a block of regular rows; None if a row may be irregular, or if the table has text."""
    import polars as pl

    count = block.count(b"\n")
    if not _is_even(block, form, count) or any(str in column.types for column in table.columns):
        return None
    schema = _schema(form, table, is_dated=is_dated)
    slots = list(schema)
    try:
        rows = pl.read_csv(
            block, has_header=False, schema=schema, separator=form.separator,
            quote_char='"' if b'"' in block else None, decimal_comma=form.separator != ",",
        )  # fmt: skip
    except pl.exceptions.PolarsError:
        return None
    if len(rows) != count:
        return None
    wanted = rows.select(_column(pl.col(slots[form.places[name]]), name, rows) for name in table.column_names)
    return frame_of_columns(wanted, table)


def _column(values: pl.Expr, name: str, rows: pl.DataFrame) -> pl.Expr:
    import polars as pl

    if name != "timestamp" or rows.schema[values.meta.output_name()] != pl.String:
        return values.alias(name)
    dated = pl.when(values.str.contains(_DATED_IN_POLARS)).then(values.str.replace("T", " ", literal=True))
    return dated.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.epoch("s").alias(name)


def _is_even(block: bytes, form: _Form, count: int) -> bool:
    """Return whether each row has its own line and the right number of fields: missing ones would be null."""
    if block.count(b"\r") != block.count(b"\r\n"):
        return False
    separator = form.separator.encode()
    if b'"' in block:
        one = re.escape(separator)
        block = re.sub(rb'(^|[\n%b])"(?:[^"\n]|"")*"(?=[\r\n%b])' % (one, one), rb"\1", block)
        if b'"' in block:
            return False
    return block.count(separator) == count * (len(form.names) - 1)


def _line_by_line(lines: _Lines, form: _Form, table: Table) -> tuple[pl.DataFrame, bool]:
    """Parse a block row by row, and return also whether its timestamps are dates and times."""
    source = lines.rest_of_block()
    start = lines.number
    size = lines.block.count(b"\n")
    first = next(source, "")
    reader = csv.reader(chain([first], source), delimiter=form.separator, strict=True)
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    dated = False
    while lines.number < start + size or not rows:
        place = f"line {start + reader.line_num + 1}"
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{place}: is not CSV ({error})") from error
        if fields is None:
            break
        if not fields:
            continue
        if len(fields) != len(form.names):
            raise ValueError(
                f"{place}: found {len(fields)} fields, expected {len(form.names)}, as in the header"
                f" (text with a separator in it needs quotes): {shown(form.separator.join(fields))}"
            )
        _check_spaces(fields, form, place)
        row = {column.name: _value(fields[form.places[column.name]], column, form) for column in table.columns}
        dated = dated or ("timestamp" in form.places and "-" in fields[form.places["timestamp"]].strip()[1:])
        rows.append(row)
        places.append(place)
    return checked_objects(rows, table, places.__getitem__), dated


def _check_spaces(fields: list[str], form: _Form, place: str) -> None:
    """Raise an error for a title without quotes: the field after it begins with a space."""
    for name, text in zip(form.names, fields, strict=True):
        is_after_title = "title" in form.places and form.names.index(name) > form.places["title"]
        if is_after_title and text.startswith(" ") and not name.startswith(" "):
            raise ValueError(f"{place}: {name}: found {shown(text)}: a title with a separator in it needs quotes")


def _value(text: str, column: Column, form: _Form) -> Any:
    """Return the value of a field, or its text if it has none."""
    if str in column.types:
        return text or None
    if not text and type(None) in column.types:
        return None
    if bool in column.types:
        return _TRUE_OR_FALSE.get(text.strip().lower(), text)
    if float in column.types:
        number = _NUMBER.fullmatch(text.replace(",", ".") if form.separator != "," else text)
        return float(number[1]) if number else text
    whole = _WHOLE.fullmatch(text)
    if whole and len(whole[1]) <= _MAX_DIGITS:
        return int(whole[1])
    return _seconds(text) if column.name == "timestamp" else text


def _seconds(text: str) -> int | str:
    dated = _DATED.fullmatch(text.strip())
    try:
        return int(datetime.fromisoformat(f"{dated[1]} {dated[2]}").replace(tzinfo=UTC).timestamp()) if dated else text
    except ValueError:
        return text
