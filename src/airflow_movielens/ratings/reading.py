"""Tables out of files, lazily."""

from __future__ import annotations

import gzip
from glob import escape
from typing import TYPE_CHECKING

from airflow_movielens.ratings.formats import FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import polars as pl

    from airflow_movielens.ratings.schema import Table


def scan_files(paths: Iterable[Path], table: Table, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """Read local files of ``table`` lazily (a JSON array: at once), having read each through once to check it.

    Args:
        paths: The files; the ending of each tells its format.
        table: What their rows are.
        columns: The columns wanted; None for all of the table. Others may be absent.

    Returns:
        The rows of all files, in the order of the files, with the table's dtypes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: An ending is not a known one, a file cannot be read as this table, lacks a column, or has a row
            with a missing or wrong value; the message names the file.
    """
    import polars as pl

    dtypes = table.polars_schema()
    schema = pl.Schema({name: dtypes[name] for name in columns or table.column_names})
    return pl.concat([_scan_checked(path, table, schema) for path in paths])


def _scan_checked(path: Path, table: Table, schema: pl.Schema) -> pl.LazyFrame:
    import polars as pl

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    source = FileFormat.of(path.name)
    try:
        rows = _scan(path, source, schema)
        missing = [name for name in schema if name not in rows.collect_schema()]
        if missing:
            raise ValueError(f"{path} lacks the columns {', '.join(missing)} of {table.name}")
        rows = rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        _check_values(rows, path, table, schema)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"{path} cannot be read as {table.name} in {source.kind}: {error}") from error
    return rows


def _check_values(rows: pl.LazyFrame, path: Path, table: Table, schema: pl.Schema) -> None:
    import polars as pl

    required = [column.name for column in table.columns if column.name in schema and type(None) not in column.types]
    closed = {column.name: list(column.values) for column in table.columns if column.name in schema and column.values}
    checks = [pl.col(required).null_count()]
    checks += [(~pl.col(name).is_in(values)).sum().alias(f"wrong {name}") for name, values in closed.items()]
    found = rows.select(checks).collect(engine="streaming").row(0, named=True)
    if absent := [name for name in required if found[name]]:
        raise ValueError(f"{path} has {table.name} without a value in {', '.join(absent)}")
    for column in table.columns:
        if found.get(f"wrong {column.name}"):
            raise ValueError(f"{path} has {table.name} whose {column.name} is not {column.expects}")


def _scan(path: Path, source: FileFormat, schema: pl.Schema) -> pl.LazyFrame:
    import polars as pl

    if source.kind == "parquet":
        return pl.scan_parquet(path, glob=False)
    if source.kind == "csv":
        return pl.scan_csv(path, glob=False, schema_overrides=schema, infer_schema=False)
    if source.kind == "ndjson":
        return pl.scan_ndjson(escape(str(path)), schema=schema)
    content = gzip.decompress(path.read_bytes()) if source.compression == "gzip" else path.read_bytes()
    return pl.read_json(content, schema=schema).lazy()
