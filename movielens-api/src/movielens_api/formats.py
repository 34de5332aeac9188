"""Ratings as JSON text, written column by column: 10,000 rows take 0.7 ms, and polars, value by value, 2.0 ms.

Rows are filled from their ends. A number is put down in a fixed width, with leading zeros that spoil what stands to its
left; that is written next, over the zeros. So rows of any length come about without a look at a single one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.io.plugins import register_io_source

from movielens_api.table.ratings_table import SCHEMA

# For fewer rows, the fixed costs of some hundred steps are more than polars needs.
FEWEST_ROWS = 2_000
# What a pass works on stays in the processor's cache, and in memory that need not be fetched from the system anew.
ROWS_PER_PASS = 5_000
GROUP = 10_000
DIGITS = np.array([b"%04d" % number for number in range(GROUP)]).view(np.uint32)
DIGITS_PER_GROUP = DIGITS.itemsize
MOST_HALF_STARS = 10

Array = npt.NDArray[Any]


def json_array(rows: pl.DataFrame, *, before: bytes = b"", after: bytes = b"") -> bytes | memoryview:
    """Write ratings as an array of JSON objects.

    Args:
        rows: ratings with the columns of `SCHEMA`, the first of them an id. What is no half star or no number from 0
            on is written as well, but takes the time that polars takes.
        before: what comes before the array.
        after: what comes after the array.

    Returns:
        All of it in one piece: joining pieces of this size takes longer than writing them, since each time the
        operating system has to be asked for memory.
    """
    if _are_written_by_column(rows):
        return _write(rows, before + b"[", b",", b"]" + after)
    written = BytesIO()
    written.write(before)
    rows.write_json(written)
    written.write(after)
    return written.getvalue()


def json_lines(rows: pl.DataFrame) -> bytes | memoryview:
    """Write ratings as JSON objects, each on a line; for the arguments, see `json_array`."""
    if _are_written_by_column(rows):
        return _write(rows, b"", b"\n", b"\n")
    # Of a few rows, `write_ndjson` takes ten times as long. Nothing but numbers is in them, so no text is changed.
    objects = bytes(json_array(rows))[1:-1].replace(b"},{", b"}\n{")
    return objects and objects + b"\n"


@dataclass(frozen=True)
class _Field:
    """A whole number of each row, and what follows it.

    Attributes:
        values: the numbers.
        widths: how many digits each has.
        groups: how many groups of digits the longest one needs.
        texts: what follows: the same in all rows, or one for each number of half stars.
    """

    values: Array
    widths: Array
    groups: int
    texts: Array

    @classmethod
    def of(cls, values: Array, texts: Array) -> _Field:
        fewest, most = (len(str(number)) for number in (values.min(), values.max()))
        # Half as many bytes are divided in half the time.
        values = values.astype(np.uint32) if values.max() < 1 << 32 else values
        widths = np.full(len(values), fewest, np.uint8)
        for digits in range(fewest, most):
            widths += values >= 10**digits
        return cls(values, widths, -(-most // DIGITS_PER_GROUP), texts)

    def records(self, part: slice, stars: Array) -> Array:
        """Return numbers, with leading zeros, and texts as records of one length."""
        rest = self.values[part]
        texts = self.texts if len(self.texts) == 1 else self.texts.take(stars[part])
        records = np.empty(len(rest), [("digits", DIGITS.dtype, (self.groups,)), ("text", texts.dtype)])
        records["text"] = texts
        for group in reversed(range(self.groups)):
            # Without the last group; a remainder by itself takes three times as long.
            higher = rest // GROUP
            records["digits"][:, group] = DIGITS.take(rest - higher * GROUP)
            rest = higher
        return records


def _write(rows: pl.DataFrame, before: bytes, between: bytes, after: bytes) -> memoryview:
    columns = {column.name: column.to_numpy() for column in rows}
    stars = (columns.pop("rating") * 2).astype(np.uint8)
    opening, texts = _texts(tuple(rows.columns))
    fields = [_Field.of(values, text) for values, text in zip(columns.values(), texts, strict=True)]
    head = between + opening
    fixed = len(head) + sum(field.texts.itemsize for field in fields)
    ends = np.cumsum(sum(field.widths for field in fields) + np.uint8(fixed), dtype=np.intp) + len(before)
    # The first row has no row before it, so what comes between them is written over, or left out.
    written = np.empty(ends[-1] + len(after), np.uint8)
    for start in range(0, len(ends), ROWS_PER_PASS):
        part = slice(start, start + ROWS_PER_PASS)
        place = ends[part]
        for field in reversed(fields):
            _put(field.records(part, stars), written, place)
            place = place - field.widths[part] - field.texts.itemsize
        # Long enough to cover the zeros of the first number.
        _put(np.array([head]), written, place)
    written[1 : len(before) + 1] = np.frombuffer(before, np.uint8)
    written[ends[-1] :] = np.frombuffer(after, np.uint8)
    return written[1:].data


def _put(records: Array, written: Array, ends: Array) -> None:
    """Write records so that they end at these places."""
    anything = np.dtype((np.void, records.itemsize))
    # Every byte is the start of a place that overlaps with the next.
    places = np.ndarray((len(written) - records.itemsize + 1,), anything, written, strides=(1,))
    places[ends - records.itemsize] = records.view(anything)


@cache
def _texts(names: tuple[str, ...]) -> tuple[bytes, list[Array]]:
    """Return what comes before the first whole number of a row, and what after each; see `_Field.texts`."""
    fields = ",".join(f'"{name}":' + ("%.1f" if name == "rating" else "\0") for name in names)
    head, *texts = f"{{{fields}}}".split("\0")
    return head.encode(), [_by_half_stars(text) if "%" in text else np.array([text.encode()]) for text in texts]


def _by_half_stars(text: str) -> Array:
    return np.array([(text % (number / 2)).encode() for number in range(MOST_HALF_STARS + 1)])


def _are_written_by_column(rows: pl.DataFrame) -> bool:
    if rows.height < FEWEST_ROWS or any(column.null_count() for column in rows):
        return False
    stars = rows["rating"].to_numpy() * 2
    # What is not a number is neither more nor less than another.
    are_half_stars = stars.min() >= 0 and stars.max() <= MOST_HALF_STARS and (stars == np.floor(stars)).all()
    return bool(are_half_stars) and all(rows[name].to_numpy().min() >= 0 for name in rows.columns)


ROWS_PER_CHUNK = 65_536
BYTES_PER_READ = 1 << 20
COLUMNS = list(SCHEMA)
# Without rows, an Arrow stream ends with this after its schema.
ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"

Frames = Iterable[pl.DataFrame]
Chunks = Iterator[bytes | memoryview]


@dataclass(frozen=True)
class Format:
    """One way to write rows, without an envelope around them.

    Attributes:
        media_type: its name in `Accept` and `Content-Type`.
        stream: writes rows, a chunk at a time, however they are cut.
        is_compressed: whether a content coding could not make it smaller.
        description: what its rows look like, for the documentation.
    """

    media_type: str
    stream: Callable[[Frames], Chunks]
    description: str
    is_compressed: bool = False


def _ndjson(chunks: Frames) -> Chunks:
    return (json_lines(chunk.select(COLUMNS)) for chunk in chunks)


def _csv(chunks: Frames) -> Chunks:
    yield ",".join(COLUMNS).encode() + b"\n"
    for chunk in chunks:
        written = BytesIO()
        chunk.select(COLUMNS).write_csv(written, include_header=False)
        yield written.getvalue()


def _arrow(chunks: Frames) -> Chunks:
    # Each chunk is written as a stream of its own: schema, one record batch, end. Only the first schema is sent.
    schema = _arrow_stream(pl.DataFrame(schema=SCHEMA))[:-8]
    schema = schema[: 8 + int.from_bytes(schema[4:8], "little")]
    yield schema
    for chunk in chunks:
        yield _arrow_stream(chunk.select(COLUMNS))[len(schema) : -len(ARROW_END)]
    yield ARROW_END


def _arrow_stream(rows: pl.DataFrame) -> bytes:
    written = BytesIO()
    rows.write_ipc_stream(written)
    return written.getvalue()


def _parquet(chunks: Frames) -> Chunks:
    # Through a file, not a pipe: a client that stops reading would stop the threads that polars writes with, and
    # those write every other answer too.
    with TemporaryFile() as file:
        rows = register_io_source(lambda *_: (chunk.select(COLUMNS) for chunk in chunks), schema=SCHEMA)
        rows.sink_parquet(file, row_group_size=ROWS_PER_CHUNK * 4)
        file.seek(0)
        while written := file.read(BYTES_PER_READ):
            yield written


FORMATS = {
    each.media_type: each
    for each in (
        Format("application/x-ndjson", _ndjson, "One JSON object per line."),
        Format("text/csv", _csv, "With a header line, in the columns of GroupLens' `ratings.csv`."),
        Format("application/vnd.apache.arrow.stream", _arrow, "An Arrow IPC stream."),
        Format("application/vnd.apache.parquet", _parquet, "A Parquet file.", is_compressed=True),
    )
}
