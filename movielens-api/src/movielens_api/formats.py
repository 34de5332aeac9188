"""Formats of ratings: JSON, NDJSON, CSV, Arrow and Parquet.

JSON is written column by column, which takes 0.7 ms for 10,000 rows; polars, which writes value by value, takes 2.0 ms.
Rows are filled from their ends. A number is written with a fixed width, and its leading zeros overwrite the bytes to
its left. Those bytes are written next, over the zeros. So rows of any length are written without looking at each one.
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

# For fewer rows, polars is faster than the fixed cost of several hundred steps.
MIN_ROWS = 2_000
# The data of a pass fits into the processor's cache, and into memory that is reused.
ROWS_PER_PASS = 5_000
_GROUP = 10_000
_DIGITS = np.array([b"%04d" % number for number in range(_GROUP)]).view(np.uint32)
_DIGITS_PER_GROUP = _DIGITS.itemsize
_MAX_HALF_STARS = 10

Array = npt.NDArray[Any]
# A client that reads slowly keeps a chunk in memory, which has at most 2.6 MB. Smaller ones would be slower.
ROWS_PER_CHUNK = 65_536
_ROWS_PER_CHUNK_OF_TEXT = 32_768
_BYTES_PER_READ = 1 << 20
COLUMNS = list(SCHEMA)
# The end of an Arrow stream.
_ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
Frames = Iterable[pl.DataFrame]
Chunks = Iterator[bytes | memoryview]


def json_array(rows: pl.DataFrame, *, before: bytes = b"", after: bytes = b"") -> bytes | memoryview:
    """Write ratings as an array of JSON objects.

    Args:
        rows: Ratings with the columns of ``SCHEMA``, an id first. Ratings that are not half stars and negative numbers
            are written correctly, but at the speed of polars.
        before: What to write before the array.
        after: What to write after the array.

    Returns:
        All bytes in one piece. Joining pieces of this size takes longer than writing them, because the operating system
        has to provide new memory each time.
    """
    if _are_written_by_column(rows):
        return _write(rows, before + b"[", b",", b"]" + after)
    written = BytesIO()
    written.write(before)
    rows.write_json(written)
    written.write(after)
    return written.getvalue()


def json_lines(rows: pl.DataFrame) -> bytes | memoryview:
    """Write ratings as JSON objects, one per line. See ``json_array`` for the arguments."""
    if _are_written_by_column(rows):
        return _write(rows, b"", b"\n", b"\n")
    # `write_ndjson` takes ten times as long for a few rows. Rows contain only numbers, so no text is changed.
    objects = bytes(json_array(rows))[1:-1].replace(b"},{", b"}\n{")
    return objects and objects + b"\n"


@dataclass(frozen=True)
class _Field:
    """An integer of each row, and the text that follows it.

    Attributes:
        values: The numbers.
        widths: The number of digits of each number.
        groups: The number of groups of digits in the longest number.
        texts: The texts that follow: one for all rows, or one for each number of half stars.
    """

    values: Array
    widths: Array
    groups: int
    texts: Array

    @classmethod
    def of(cls, values: Array, texts: Array) -> _Field:
        fewest, most = (len(str(number)) for number in (values.min(), values.max()))
        # Dividing half as many bytes takes half the time.
        values = values.astype(np.uint32) if values.max() < 1 << 32 else values
        widths = np.full(len(values), fewest, np.uint8)
        for digits in range(fewest, most):
            widths += values >= 10**digits
        return cls(values, widths, -(-most // _DIGITS_PER_GROUP), texts)

    def records(self, part: slice, stars: Array) -> Array:
        """Return the numbers, with leading zeros, and the texts as records of the same length."""
        rest = self.values[part]
        texts = self.texts if len(self.texts) == 1 else self.texts.take(stars[part])
        records = np.empty(len(rest), [("digits", _DIGITS.dtype, (self.groups,)), ("text", texts.dtype)])
        records["text"] = texts
        for group in reversed(range(self.groups)):
            # Without the last group. The remainder operator takes three times as long.
            higher = rest // _GROUP
            records["digits"][:, group] = _DIGITS.take(rest - higher * _GROUP)
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
    # Nothing precedes the first row, so the separator before it is overwritten or left out.
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
    """Write records so that they end at the given positions."""
    anything = np.dtype((np.void, records.itemsize))
    # Each byte is the start of a record that overlaps with the next.
    places = np.ndarray((len(written) - records.itemsize + 1,), anything, written, strides=(1,))
    places[ends - records.itemsize] = records.view(anything)


@cache
def _texts(names: tuple[str, ...]) -> tuple[bytes, list[Array]]:
    """Return the text before the first integer of a row, and the texts after each integer; see ``_Field.texts``."""
    fields = ",".join(f'"{name}":' + ("%.1f" if name == "rating" else "\0") for name in names)
    head, *texts = f"{{{fields}}}".split("\0")
    stars = [number / 2 for number in range(_MAX_HALF_STARS + 1)]
    return head.encode(), [
        np.array([(text % number).encode() for number in stars] if "%" in text else [text.encode()]) for text in texts
    ]


def _are_written_by_column(rows: pl.DataFrame) -> bool:
    if rows.height < MIN_ROWS or any(column.null_count() for column in rows):
        return False
    stars = rows["rating"].to_numpy() * 2
    # NaN fails both comparisons.
    are_half_stars = stars.min() >= 0 and stars.max() <= _MAX_HALF_STARS and (stars == np.floor(stars)).all()
    return bool(are_half_stars) and all(rows[name].to_numpy().min() >= 0 for name in rows.columns)


@dataclass(frozen=True)
class Format:
    """A format for rows without an envelope.

    Attributes:
        media_type: The name of the format in ``Accept`` and ``Content-Type``.
        stream: Writes rows chunk by chunk.
        is_compressed: Whether compression would not make it smaller.
        is_file: Whether all rows are written before the first chunk is there.
        rows_per_chunk: How many rows the frames to write have.
        max_bytes_per_row: The largest size of a row, with its share of what surrounds it.
        description: What the rows look like, for the documentation.
    """

    media_type: str
    stream: Callable[[Frames], Chunks]
    description: str
    max_bytes_per_row: int
    rows_per_chunk: int = ROWS_PER_CHUNK
    is_compressed: bool = False
    is_file: bool = False


def _ndjson(chunks: Frames) -> Chunks:
    return (json_lines(chunk.select(COLUMNS)) for chunk in chunks)


def _csv(chunks: Frames) -> Chunks:
    yield ",".join(COLUMNS).encode() + b"\n"
    for chunk in chunks:
        written = BytesIO()
        chunk.select(COLUMNS).write_csv(written, include_header=False)
        yield written.getvalue()


def _arrow(chunks: Frames) -> Chunks:
    # Each chunk is written as its own stream: schema, one record batch, end. Only the first schema is sent.
    schema = _arrow_stream(pl.DataFrame(schema=SCHEMA))[:-8]
    schema = schema[: 8 + int.from_bytes(schema[4:8], "little")]
    yield schema
    for chunk in chunks:
        yield _arrow_stream(chunk.select(COLUMNS))[len(schema) : -len(_ARROW_END)]
    yield _ARROW_END


def _arrow_stream(rows: pl.DataFrame) -> bytes:
    written = BytesIO()
    rows.write_ipc_stream(written)
    return written.getvalue()


def _parquet(chunks: Frames) -> Chunks:
    # Through a file, not a pipe: a client that stops reading would block polars' threads, which write all other
    # responses, too.
    with TemporaryFile() as file:
        rows = register_io_source(lambda *_: (chunk.select(COLUMNS) for chunk in chunks), schema=SCHEMA)
        try:
            rows.sink_parquet(file, row_group_size=ROWS_PER_CHUNK * 4)
        except pl.exceptions.ComputeError as error:
            # Rust writes "(os error 28)" for a full disk.
            raise OSError(str(error)) if "os error" in str(error) else error from error
        file.seek(0)
        while written := file.read(_BYTES_PER_READ):
            yield written


FORMATS = {
    each.media_type: each
    for each in (
        Format("application/x-ndjson", _ndjson, "One JSON object per line.", 80, _ROWS_PER_CHUNK_OF_TEXT),
        Format("text/csv", _csv, "With a header line, in the columns of GroupLens' `ratings.csv`.", 40),
        Format("application/vnd.apache.arrow.stream", _arrow, "An Arrow IPC stream.", 24),
        Format("application/vnd.apache.parquet", _parquet, "A Parquet file.", 24, is_compressed=True, is_file=True),
    )
}
