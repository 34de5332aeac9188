"""Rows as the data of COPY: in PostgreSQL's binary format if all columns are numbers, otherwise as CSV.

The server need not parse binary data. Only that of numbers is made from whole columns; that of text would have to be
made value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import polars as pl

CSV = "FORMAT csv, ENCODING 'UTF8'"
BINARY = "FORMAT binary"

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": signature, flags, length of an extension.
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


def csv(batches: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """Yield rows as CSV without a header."""
    for batch in batches:
        yield batch.write_csv(include_header=False).encode()


def binary(batches: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """Yield rows of numbers, of which none is null, in PostgreSQL's binary format."""
    yield _HEADER
    for batch in batches:
        yield _tuples(batch).tobytes()
    yield _TRAILER


def _tuples(batch: pl.DataFrame) -> np.ndarray:
    """Return rows as an array of structures: the number of fields, then the length and the value of each."""
    import numpy as np

    columns = {name: batch[name].to_numpy() for name in batch.columns}
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for number, values in enumerate(columns.values()):
        fields += [(f"length {number}", ">i4"), (f"value {number}", values.dtype.newbyteorder(">").str)]
    tuples = np.empty(len(batch), fields)
    tuples["count"] = len(columns)
    for number, values in enumerate(columns.values()):
        tuples[f"length {number}"] = values.dtype.itemsize
        tuples[f"value {number}"] = values
    return tuples
