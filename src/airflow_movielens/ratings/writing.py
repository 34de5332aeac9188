"""Tables into files, whole or not at all."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast
from uuid import uuid4

from airflow_movielens.ratings.formats import FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

_JSON_ROWS_AT_ONCE = 50_000


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, the file appears at ``path`` whole, else not at all.

    It lies beside ``path`` until it is flushed to the disk; then it is renamed, which replaces a file already there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The endings stay last, because they tell the format.
    partial = path.with_name(f".partial-{uuid4().hex}-{path.name}")
    try:
        yield partial
        _flush_to_disk(partial)
        partial.replace(path)
        _flush_to_disk(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_table(rows: pl.LazyFrame, path: Path) -> None:
    """Write rows to a local file, streaming; the format is told by the ending of ``path``.

    Raises:
        ValueError: The ending is not a known one.
    """
    target = FileFormat.of(path.name)
    with whole_file(path) as partial:
        if target.kind == "parquet":
            rows.sink_parquet(partial)
        elif target.kind == "csv":
            rows.sink_csv(partial, compression=target.compression)
        elif target.kind == "ndjson":
            rows.sink_ndjson(partial, compression=target.compression)
        else:
            _write_json_array(rows, partial, target)


def _write_json_array(rows: pl.LazyFrame, path: Path, target: FileFormat) -> None:
    separator = b""
    with path.open("wb") as file, _compressing(file, target) as out:
        out.write(b"[")
        for batch in rows.collect_batches(chunk_size=_JSON_ROWS_AT_ONCE):
            if not batch.is_empty():
                out.write(separator + batch.write_json().encode()[1:-1])
                separator = b","
        out.write(b"]\n")


@contextmanager
def _compressing(file: IO[bytes], target: FileFormat) -> Iterator[IO[bytes]]:
    if target.compression == "uncompressed":
        yield file
        return
    # No time of writing inside: the same rows give the same file.
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as compressed:
        yield cast("IO[bytes]", compressed)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
