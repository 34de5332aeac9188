"""JSON rows of numbers that all look alike, five times as fast as a JSON parser reads them, and as strictly.

Without its digits, such a text is one row's skeleton over and over. With the skeletons proven, only the numbers are
left to read, which a CSV parser does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.ratings.schema import Table

_NUMERIC = b"0123456789."
_FEWEST_BYTES = 32_768
"""Below, the fixed cost of the CSV parser is more than is saved."""


def read_uniform(text: bytes, table: Table, between: bytes) -> pl.DataFrame | None:
    """Read objects that all have the table's keys, in one order, without spaces, and numbers as values.

    Accepted beyond JSON's grammar is only ``.5`` for ``0.5`` if elsewhere in the text a digit too many (``3.50``)
    makes up for it: the values are the same.

    Args:
        text: The objects, with ``between`` between them.
        table: What they are.
        between: A comma or a line feed.

    Returns:
        The columns: Int32 and Int64 as the table has them, Float64 instead of Float32; not checked further. None if
        the text is short or anything about it is unusual: whether it is right is for a JSON parser to say then.
    """
    import polars as pl

    if len(text) < _FEWEST_BYTES:
        return None
    head = text[: text.find(b"}") + 1]
    names = _names(head)
    template = head.translate(None, _NUMERIC) + between
    # A sign or an exponent would be left over.
    if sorted(names) != sorted(table.column_names) or template != _template(names) + between:
        return None
    skeleton = text.translate(None, _NUMERIC)
    count = len(skeleton) // len(template) + 1
    if len(skeleton) != len(template) * count - len(between) or not (template * count).startswith(skeleton):
        return None
    numbers = _numbers_only(text, between)
    try:
        rows = pl.read_csv(numbers, schema=_slots(names, table), has_header=False, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    # Without the query engine, of which each use costs a tenth of a millisecond.
    columns = pl.DataFrame([rows[name] for name in names])
    has_all = len(rows) == count and not any(column.null_count() for column in columns)
    return columns if has_all and _shortest_length(columns, numbers) == len(numbers) else None


def _names(head: bytes) -> list[str]:
    """The keys of an object of which every value is a number; none if it is not one."""
    try:
        pairs: Any = json.loads(head, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return []
    return [name for name, value in pairs if type(value) in {int, float}] if isinstance(pairs, list) else []


def _template(names: list[str]) -> bytes:
    """An object with these keys, without its numbers."""
    return b"{" + b",".join(f'"{name}":'.encode() for name in names) + b"}"


def _numbers_only(text: bytes, between: bytes) -> bytes:
    """A line for each row: comma, slot of the first key, comma, number, comma, slot of the next key, and so on.

    All slots, and what lies before the first comma, are empty if there is no digit but in the numbers.
    """
    replaced = {ord("}"): ord("\n"), ord(":"): ord(","), ord("{"): ord(",")}
    table = bytes(replaced.get(byte, byte) for byte in range(256))
    kept = _NUMERIC + b",:}"
    if between == b"\n":
        kept += b"{"
    numbers = text.translate(table, bytes(byte for byte in range(256) if byte not in kept))
    # Commas between objects stay; the first object has none before it.
    return numbers if between == b"\n" else b"," + numbers


def _slots(names: list[str], table: Table) -> dict[str, Any]:
    import polars as pl

    schema: dict[str, Any] = {"before": pl.Boolean}
    for name in names:
        dtype = table.polars_schema()[name]
        # No number is a Boolean: one in the wrong slot is an error.
        schema |= {f"key {name}": pl.Boolean, name: pl.Float64 if dtype == pl.Float32 else dtype}
    return schema


def _shortest_length(columns: pl.DataFrame, numbers: bytes) -> int:
    """How long the text of `_numbers_only` is if no number has a digit too many, such as a leading zero."""
    separators = len(columns) * (2 * columns.width + 1)
    # Whole stars have one digit, half stars a point and a digit more.
    digits = sum(_digits(column) if column.dtype.is_integer() else len(column) for column in columns)
    return separators + digits + 2 * numbers.count(b".")


def _digits(numbers: pl.Series) -> int:
    """How many digits whole numbers from 0 on have together."""
    fewest, most = (len(str(number)) for number in (numbers.min(), numbers.max()))
    longer = (int((numbers >= 10**digits).sum()) for digits in range(fewest, most))
    return fewest * len(numbers) + sum(longer)
