"""JSON rows of numbers that all look alike, three times as fast as a JSON parser reads them.

Without its digits, such a text is one row's skeleton over and over. With the skeletons proven, only the numbers are
left to read, which a CSV parser does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.ratings.schema import Table

_NUMERIC = b"0123456789."
_AS_CSV = bytes.maketrans(b"}:{", b"\n,,")
_ALL_BUT = bytes(range(256)).translate(None, _NUMERIC + b",:}")
_PIECE = 65_536
_FEWEST_BYTES = 32_768
"""Below, the fixed cost of the CSV parser is more than is saved."""


def read_uniform(
    text: bytes, table: Table, between: bytes, start: int = 0, end: int | None = None
) -> pl.DataFrame | None:
    """Read objects that all have the table's keys, in one order, without spaces, and numbers as values.

    Accepted beyond JSON's grammar are numbers such as ``007``, ``4.`` and ``.5``, whose value is plain all the same.

    Args:
        text: Holds the objects, with ``between`` between them.
        table: What they are.
        between: A comma or a line feed.
        start: Where in the text they begin.
        end: Where they end; None for the end of the text.

    Returns:
        The columns: Int32 and Int64 as the table has them, Float64 instead of Float32; not checked further. None if
        the text is short or anything about it is unusual: whether it is right is for a JSON parser to say then.
    """
    import polars as pl

    end = len(text) if end is None else end
    if end - start < _FEWEST_BYTES:
        return None
    head = text[start : text.find(b"}", start, end) + 1]
    names = _names(head)
    template = head.translate(None, _NUMERIC) + between
    # A sign or an exponent would be left over.
    if sorted(names) != sorted(table.column_names) or template != _template(names) + between:
        return None
    count, numbers = _proven(_pieces(text, b"}" + between, start, end), template, between)
    if not count:
        return None
    try:
        rows = pl.read_csv(numbers, schema=_slots(names, table), has_header=False, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    columns = rows[names]  # at once; `select` would plan a query
    has_all = len(rows) == count and not any(column.null_count() for column in columns)
    return columns if has_all else None


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


def _proven(pieces: Iterator[bytes], template: bytes, between: bytes) -> tuple[int, bytes]:
    """How many rows the pieces of a text have, and a line for each; no rows if it is not one skeleton over and over.

    A line is: comma, slot of the first key, comma, number, comma, slot of the next key, and so on. All slots, and what
    lies before the first comma, are empty if there is no digit but in the numbers.
    """
    expected = template * (2 * _PIECE // len(template))
    dropped = _ALL_BUT.translate(None, b"{") if between == b"\n" else _ALL_BUT
    length, lines = 0, []
    for piece in pieces:
        skeleton = piece.translate(None, _NUMERIC) + between
        if len(skeleton) % len(template) or not expected.startswith(skeleton):
            return 0, b""
        length += len(skeleton)
        lines.append(piece.translate(_AS_CSV, dropped))
    # Commas between objects stay; what is cut off between pieces, and what the first object lacks, is put back.
    comma = b"" if between == b"\n" else b","
    return length // len(template), comma + comma.join(lines)


def _pieces(text: bytes, end_of_row: bytes, start: int, end: int) -> Iterator[bytes]:
    """The text cut between rows, into pieces that fit into the processor's cache."""
    # What ends between two rows leaves an empty piece, which is no row.
    while start <= end:
        found = text.find(end_of_row, start + _PIECE, end)
        cut = found + 1 if found >= 0 else end
        yield text[start:cut]
        start = cut + 1


def _slots(names: list[str], table: Table) -> dict[str, Any]:
    import polars as pl

    schema: dict[str, Any] = {"before": pl.Boolean}
    for name in names:
        dtype = table.polars_schema()[name]
        # No number is a Boolean: one in the wrong slot is an error.
        schema |= {f"key {name}": pl.Boolean, name: pl.Float64 if dtype == pl.Float32 else dtype}
    return schema
