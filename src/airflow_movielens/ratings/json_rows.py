"""Read rows from JSON and NDJSON files: exactly, or with an error that names the row or the line.

Regular text is parsed as columns. Any other text is parsed object by object, so that an error can name the row.
"""

from __future__ import annotations

import json
import re
from glob import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import find_columns
from airflow_movielens.ratings.text_files import is_plain, text_blocks, whole_text
from airflow_movielens.ratings.validation import checked_objects, frame_of_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import polars as pl

    from airflow_movielens.ratings.paths import Compression
    from airflow_movielens.ratings.schema import Table

_BLANK = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(rb"\}[ \t]*,[ \t]*\{")
_ROWS_AT_ONCE = 50_000


def read_ndjson(
    path: Path, compression: Compression, table: Table, irregular: list[int] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file with a JSON object per line, in batches; empty lines are skipped.

    Args:
        path: The file.
        compression: The compression of the whole file.
        table: The table of the rows; further keys are dropped.
        irregular: Receives the number of the first line of each block that Polars alone would not read the same way.

    Raises:
        ValueError: The file is not such a text, or has a wrong row; the message names the line.
        OSError: The file cannot be read.
    """
    names: dict[str, str] = {}
    for first_line, block in text_blocks(path, compression):
        if not (lines := block.strip()):
            continue
        if not names:
            head = _parse_line(lines.partition(b"\n")[0].decode(), f"line {first_line}")
            names = _names(head, f"line {first_line}", table)
        frame = _as_columns(lines, names, table)
        if frame is None and irregular is not None:
            irregular.append(first_line)
        yield _line_by_line(block, first_line, names, table) if frame is None else frame


def scan_ndjson(path: Path, compression: Compression, table: Table) -> pl.LazyFrame | None:
    """Scan a file in which `read_ndjson` found no irregular block; None if Polars cannot read it."""
    import polars as pl

    head = next(text_blocks(path, compression), (1, b""))[1].strip()
    if not head or not is_plain(path, compression):
        return None
    names = _names(_parse_line(head.partition(b"\n")[0].decode(), "line 1"), "line 1", table)
    rows = pl.scan_ndjson(escape(str(path)), schema=_schema(names, table))
    return rows.select(pl.col(given).alias(name) for name, given in names.items())


def _schema(names: Mapping[str, str], table: Table) -> pl.Schema:
    import polars as pl

    dtypes = {column.name: "Float64" if column.dtype == "Float32" else column.dtype for column in table.columns}
    return pl.Schema({given: getattr(pl, dtypes[name]) for name, given in names.items()})


def read_json(path: Path, compression: Compression, table: Table) -> Iterator[pl.DataFrame]:
    """Return the rows of a file with one JSON array of objects.

    Raises:
        ValueError: The file is not such a text, or has a wrong row; the message names the row, from 1.
        OSError: The file cannot be read.
    """
    text = whole_text(path, compression).strip()
    if not text.startswith(b"["):
        raise ValueError(_no_array(text.decode()))
    if not text[1:].removesuffix(b"]").strip() and text.endswith(b"]"):
        return
    names: dict[str, str] = {}
    elements = _elements(text.decode())
    number = 0
    while rows := list(islice(elements, _ROWS_AT_ONCE if names else 1)):
        if not names:
            names = _names(rows[0], "row 1", table)
            objects = _BETWEEN.sub(b"}\n{", text[1:-1].translate(None, b"\r\n"))
            if text.endswith(b"]") and (frame := _as_columns(objects.strip(), names, table)) is not None:
                yield frame
                return
        places = [f"row {place}" for place in range(number + 1, number + 1 + len(rows))]
        yield checked_objects([_renamed(row, names) for row in rows], table, places.__getitem__)
        number += len(rows)


def keys_of_first_row(path: Path, compression: Compression, *, is_array: bool) -> list[str]:
    """Return the keys of the first object of a JSON array or of a file with an object per line; none if it has no rows.

    Raises:
        ValueError: The file is not such a text.
        OSError: The file cannot be read.
    """
    if is_array:
        text = whole_text(path, compression).strip()
        has_rows = text.startswith(b"[") and text[1:].strip(b"] \t\r\n")
        row = next(_elements(text.decode())) if has_rows else None
    else:
        head = next(text_blocks(path, compression), (1, b""))[1].strip()
        row = _parse_line(head.partition(b"\n")[0].decode(), "line 1") if head else None
    return list(row) if isinstance(row, dict) else []


def _as_columns(lines: bytes, names: Mapping[str, str], table: Table) -> pl.DataFrame | None:
    """Parse regular lines; None if a line may be irregular, or if the table has text."""
    import polars as pl

    if any(str in column.types for column in table.columns):
        return None
    schema = _schema(names, table)
    try:
        rows = pl.read_ndjson(lines, schema=schema)
    except pl.exceptions.PolarsError:
        return None
    # The object has a key twice.
    if any(lines.count(json.dumps(given).encode()) != len(rows) for given in schema):
        return None
    return frame_of_columns(rows.select(pl.col(given).alias(name) for name, given in names.items()), table)


def _line_by_line(block: bytes, first_line: int, names: Mapping[str, str], table: Table) -> pl.DataFrame:
    rows, places = [], []
    for number, line in enumerate(block.decode().split("\n"), first_line):
        if line.strip():
            places.append(f"line {number}")
            rows.append(_renamed(_parse_line(line, places[-1]), names))
    return checked_objects(rows, table, places.__getitem__)


def _parse_line(line: str, place: str) -> Any:
    try:
        return _decoder().decode(line)
    except (ValueError, RecursionError) as error:
        hint = ": a JSON array belongs into a file that ends in .json" if line.startswith("[") else ""
        raise ValueError(f"{place}: is not a JSON object ({_first_line(error)}){hint}") from error


def _names(row: Any, place: str, table: Table) -> dict[str, str]:
    if isinstance(row, list) and place.startswith("line"):
        raise ValueError(f"{place} is a JSON array: it belongs into a file that ends in .json")
    if not isinstance(row, dict):
        raise ValueError(f"{place} is {shown(row)}, expected an object")
    try:
        return find_columns(row, table.column_names)
    except ValueError as error:
        raise ValueError(f"{place} {error}") from error


def _renamed(row: Any, names: Mapping[str, str]) -> Any:
    return {name: row[given] for name, given in names.items() if given in row} if isinstance(row, dict) else row


def _elements(text: str) -> Iterator[Any]:
    """Yield the values of a JSON array."""
    decoder = _decoder()
    place, number = _after_blanks(text, 1), 1
    while True:
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"row {number} is cut or not JSON ({_first_line(error)})") from error
        yield value
        place, number = _after_blanks(text, place), number + 1
        if text[place : place + 1] != ",":
            break
        place = _after_blanks(text, place + 1)
    if text[place:] != "]":
        raise ValueError(
            f"after row {number - 1} found {shown(text[place : place + 40])}, expected the end of the array"
        )


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _no_array(text: str) -> str:
    expected = "expected one array of objects, [{…}, …]"
    try:
        value, end = _decoder().raw_decode(text)
    except (ValueError, RecursionError):
        return f"row 1: found {shown(text[:40])}, {expected}"
    if text[end:].strip():
        return f"found {shown(text[:40])}, {expected}: one object a line belongs into a file that ends in .ndjson"
    if isinstance(value, dict) and "result" in value:
        return f"it is one page of an API's response, {expected}: fetch all pages with `movielens fetch`"
    return f"found {shown(text[:40])}, {expected}"


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
