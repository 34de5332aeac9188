"""Files of rankings, as `airflow_movielens.storage.files.write_ranking` writes them.

One that is far too large for a ranking is an error, so that it does not take the memory that others need.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from airflow_movielens.plugin.queries.ranking_text import COLUMNS, NEVER_NULL, ranking_text
from airflow_movielens.ratings.paths import FileFormat

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from airflow_movielens.plugin.queries.files import QueryFile

MAX_ROWS = 2_000_000
"""Rows of a Parquet file."""

_DTYPES = {str: pl.String, int: pl.Int64, float: pl.Float64}
_LONGEST_OBJECT = 1 << 16


def read_ranking(file: QueryFile, where: pl.Expr | None = None) -> pl.DataFrame:
    """Read the rows of a ranking.

    Args:
        file: The file.
        where: Which rows; None for all.

    Returns:
        The columns of `scan_ranking`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It cannot be read.
    """
    path = file.local()
    try:
        rows = scan_ranking(path)
        frame = (rows if where is None else rows.filter(where)).collect()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a ranking: {str(error).partition(chr(10))[0]}") from error
    if incomplete := [name for name in NEVER_NULL if frame[name].null_count()]:
        raise ValueError(f"{path} is damaged: values are missing in the columns {', '.join(incomplete)}")
    return frame


def scan_ranking(path: Path) -> pl.LazyFrame:
    """Read a ranking lazily (a JSON array: eagerly), best first.

    Args:
        path: The local file; its extension selects the format.

    Returns:
        genre (of a ranking by genre), rank, movieId; title, year and genres if the file has them; score, num_ratings
        and the method's own columns. A file of the method ``mean`` has no rank and no score: they are the number of
        the row and avg_rating.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError, ValueError: It is no ranking, is damaged, or is too large.
        polars.exceptions.PolarsError: It cannot be read; also when the rows are collected.
    """
    rows = _scan(path)
    names = rows.collect_schema().names()
    if "rank" not in names and "avg_rating" in names:
        rows = rows.with_row_index("rank", offset=1).with_columns(score="avg_rating")
        names = ["rank", "score", *names]
    if missing := [name for name in NEVER_NULL if name not in names]:
        if not names:  # an empty JSON array
            return pl.LazyFrame(schema=_schema(NEVER_NULL))
        raise ValueError(f"it lacks the columns {', '.join(missing)}")
    return rows.select(pl.col(name).cast(dtype) for name, dtype in _schema(names).items())


def _scan(path: Path) -> pl.LazyFrame:
    kind = FileFormat.of(str(path)).kind
    if kind == "parquet":
        return _scan_parquet(path)
    text = ranking_text(path)
    if kind == "csv":
        return pl.scan_csv(text, schema_overrides=_schema())
    text = text.strip()
    if text in (b"", b"[]"):
        return pl.LazyFrame()
    if kind == "ndjson":
        return pl.scan_ndjson(BytesIO(text), schema=_schema(json.loads(text.partition(b"\n")[0])))
    # Polars would need twice the time to find the columns itself.
    first, _ = json.JSONDecoder().raw_decode(text[:_LONGEST_OBJECT].decode(errors="replace"), 1)
    return pl.read_json(BytesIO(text), schema=_schema(first)).lazy()


def _scan_parquet(path: Path) -> pl.LazyFrame:
    if not path.exists():
        raise FileNotFoundError
    rows = pl.scan_parquet(path, glob=False)
    if (count := rows.select(pl.len()).collect().item()) > MAX_ROWS:
        raise ValueError(f"it has {count:,} rows, but a page reads at most {MAX_ROWS:,}")
    return rows


def _schema(names: Collection[str] = tuple(COLUMNS)) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {name: _DTYPES[kind] for name, kind in COLUMNS.items() if name in names}
