"""Write tables to files. Equal rows give equal bytes, however they are divided into batches."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from airflow_movielens.ratings.atomic_files import whole_file
from airflow_movielens.ratings.paths import FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

_ROWS_A_ROW_GROUP = 65_536
_ROWS_OF_TEXT = 50_000
_GZIP_LEVEL = 6


def write_table(rows: pl.LazyFrame, path: Path) -> None:
    """Write rows to a local file, whole or not at all; the extension of ``path`` selects the format.

    Raises:
        ValueError: The extension is unknown.
    """
    target = FileFormat.of(path.name)
    with whole_file(path) as partial:
        write_rows(rows, partial, target)


def write_rows(rows: pl.LazyFrame, path: Path, target: FileFormat) -> None:
    """Write rows to a local file as a stream: memory use does not grow with the number of rows."""
    if target.kind == "parquet":
        # Snappy takes half the time of zstd, which takes as long as the rest. Groups of a fixed size hide the parts.
        rows.sink_parquet(path, compression="snappy", row_group_size=_ROWS_A_ROW_GROUP)
    elif target.kind == "json" or target.compression == "gzip":
        # Polars' gzip output depends on the batches that it reads.
        _write_text(rows, path, target)
    elif target.kind == "csv":
        rows.sink_csv(path, compression=target.compression)
    else:
        rows.sink_ndjson(path, compression=target.compression)


def _write_text(rows: pl.LazyFrame, path: Path, target: FileFormat) -> None:
    with path.open("wb") as file, _compressing(file, target) as out:
        for piece in {"json": _json_array, "ndjson": _json_lines, "csv": _csv_lines}[target.kind](rows):
            out.write(piece.encode())


def _json_array(rows: pl.LazyFrame) -> Iterator[str]:
    separator = "["
    for batch in _batches(rows):
        yield separator + batch.write_json()[1:-1]
        separator = ","
    yield "[]\n" if separator == "[" else "]\n"


def _json_lines(rows: pl.LazyFrame) -> Iterator[str]:
    return (batch.write_ndjson() for batch in _batches(rows))


def _csv_lines(rows: pl.LazyFrame) -> Iterator[str]:
    yield rows.head(0).collect().write_csv()
    yield from (batch.write_csv(include_header=False) for batch in _batches(rows))


def _batches(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    batches = rows.collect_batches(chunk_size=_ROWS_OF_TEXT, maintain_order=True)
    return (batch for batch in batches if not batch.is_empty())


@contextmanager
def _compressing(file: IO[bytes], target: FileFormat) -> Iterator[IO[bytes]]:
    if target.compression == "uncompressed":
        yield file
        return
    # Without a modification time: the same rows give the same file.
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=_GZIP_LEVEL) as compressed:
        yield cast("IO[bytes]", compressed)
