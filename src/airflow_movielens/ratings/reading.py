"""Read tables from files, lazily: every value exactly, or an error that names the first wrong one."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.csv_rows import names_in_header, read_csv, scan_csv
from airflow_movielens.ratings.json_rows import keys_of_first_row, read_json, read_ndjson, scan_ndjson
from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.schema import find_columns, known_columns
from airflow_movielens.ratings.validation import checked_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from airflow_movielens.ratings.schema import Table

_ROWS_AT_ONCE = 262_144


def scan_files(paths: Iterable[Path], table: Table, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """Read local files of ``table`` lazily (a JSON array: eagerly), after reading each file once to check it.

    Args:
        paths: The files; the extension of each selects its format.
        table: The table of their rows.
        columns: The columns to read; None for all of the table. Other columns may be missing.

    Returns:
        The rows of all files, in the order of the files, with the table's dtypes.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: An extension is unknown, a file cannot be read as this table, lacks a column, or has a row
            with a missing or wrong value; the message names the file, and the line or row.
    """
    import polars as pl

    wanted = table.with_columns(columns) if columns else table
    return pl.concat([_scan_checked(path, wanted) for path in paths])


def columns_in(path: Path, table: Table) -> list[str]:
    """Return which columns of ``table`` a local file has, by its header or its first row.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: An extension is unknown, or the file cannot be read as this table; the message names the file.
    """
    with _clear_errors(path, table):
        return known_columns(_names_in(path), table.column_names)


def _names_in(path: Path) -> list[str]:
    import polars as pl

    source = FileFormat.of(str(path))
    if source.kind == "parquet":
        return pl.scan_parquet(path, glob=False).collect_schema().names()
    if source.kind == "csv":
        return names_in_header(path, source.compression)
    return keys_of_first_row(path, source.compression, is_array=source.kind == "json")


def _scan_checked(path: Path, table: Table) -> pl.LazyFrame:
    with _clear_errors(path, table):
        return _scan(path, FileFormat.of(str(path)), table)


@contextmanager
def _clear_errors(path: Path, table: Table) -> Iterator[None]:
    """Name the file in errors of reading it; see `scan_files`."""
    import polars as pl

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    source = FileFormat.of(str(path))
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read as {table.name} in {source.kind}: {said}") from error
    except ValueError as error:
        separator = ", " if str(error).startswith(("line ", "row ")) else ": "
        raise ValueError(f"{path}{separator}{error}") from error


def _scan(path: Path, source: FileFormat, table: Table) -> pl.LazyFrame:
    import polars as pl

    if source.kind == "parquet":
        return _scan_parquet(path, table)
    if source.kind == "json":
        return pl.concat([table.empty(), *read_json(path, source.compression, table)]).lazy()
    return _scan_text(path, source, table)


def _scan_text(path: Path, source: FileFormat, table: Table) -> pl.LazyFrame:
    import polars as pl
    from polars.io.plugins import register_io_source

    read = {"csv": read_csv, "ndjson": read_ndjson}[source.kind]

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        for whole in read(path, source.compression, table):
            frame = whole if left is None else whole.head(left)
            left = None if left is None else left - len(frame)
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame if columns is None else frame.select(columns)
            if left == 0:
                return

    irregular: list[int] = []
    for _ in read(path, source.compression, table, irregular):
        pass  # to check it
    scan = {"csv": scan_csv, "ndjson": scan_ndjson}[source.kind]
    if not irregular and (scanned := scan(path, source.compression, table)) is not None and _is_readable(scanned):
        return scanned.cast(table.polars_schema())
    return register_io_source(batches, schema=pl.Schema(table.polars_schema()))


def _is_readable(rows: pl.LazyFrame) -> bool:
    """Return whether Polars reads the first row: it rejects some compression headers that Python accepts."""
    import polars as pl

    try:
        rows.head(1).collect()
    except (pl.exceptions.PolarsError, OSError):
        return False
    return True


def _scan_parquet(path: Path, table: Table) -> pl.LazyFrame:
    import polars as pl

    scanned = pl.scan_parquet(path, glob=False)
    found = find_columns(scanned.collect_schema(), table.column_names)
    rows = scanned.select(pl.col(given).alias(name) for name, given in found.items())
    number = 0
    for batch in rows.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
        checked_columns(batch, table, partial(_place, number + 1))
        number += len(batch)
    dtypes: dict[str, Any] = dict(rows.collect_schema())
    exact = (_as_seconds(name, dtypes[name]) for name in found)
    # The values are checked and exact; a column without rows may have any dtype.
    return rows.select(exact).cast(table.polars_schema()) if number else table.empty().lazy()


def _place(first: int, number: int) -> str:
    return f"row {first + number}"


def _as_seconds(name: str, dtype: Any) -> pl.Expr:
    import polars as pl

    return pl.col(name).dt.epoch("s") if isinstance(dtype, pl.Datetime) else pl.col(name)
