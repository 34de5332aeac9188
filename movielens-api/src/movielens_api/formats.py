"""Formats for rows without an envelope: NDJSON, CSV, Arrow and Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile

import polars as pl
from polars.io.plugins import register_io_source

from movielens_api.json_rows import json_lines
from movielens_api.table.ratings_table import SCHEMA

# A client that reads slowly keeps a chunk in memory, which has at most 2.6 MB. Smaller ones would be slower.
ROWS_PER_CHUNK = 65_536
_ROWS_PER_CHUNK_OF_TEXT = 32_768
_BYTES_PER_READ = 1 << 20
COLUMNS = list(SCHEMA)
# The end of an Arrow stream.
_ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
Frames = Iterable[pl.DataFrame]
Chunks = Iterator[bytes | memoryview]


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
