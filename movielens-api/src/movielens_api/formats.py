"""Ratings as bytes: the media types that `/ratings` speaks, each whole or as a stream of bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile

import polars as pl
from polars.io.plugins import register_io_source

from movielens_api.json_rows import json_lines
from movielens_api.ratings_table import SCHEMA

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
