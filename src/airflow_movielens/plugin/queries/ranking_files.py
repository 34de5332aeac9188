"""Files of rankings, as `airflow_movielens.storage.files.write_ranking` writes them."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.text_files import text_blocks, whole_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from airflow_movielens.ratings.paths import Compression

_DTYPES = {
    "genre": "String",
    "rank": "Int64",
    "movieId": "Int64",
    "title": "String",
    "year": "Int64",
    "genres": "String",
    "score": "Float64",
    "num_ratings": "Int64",
    "avg_rating": "Float64",
    "like_share": "Float64",
    "upper_bound": "Float64",
    "num_likes": "Int64",
}
_LONGEST_OBJECT = 1 << 16
_ALWAYS = ("rank", "movieId", "score", "num_ratings")


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
        OSError, ValueError: It is no ranking, or is damaged.
        polars.exceptions.PolarsError: It cannot be read; also when the rows are collected.
    """
    if not path.exists():
        raise FileNotFoundError
    source = FileFormat.of(str(path))
    if source.kind == "parquet":
        rows = pl.scan_parquet(path, glob=False)
    elif source.kind == "csv":
        rows = pl.scan_csv(path, glob=False, schema_overrides=_schema())
    elif source.kind == "ndjson":
        rows = _scan_ndjson(path, source.compression)
    else:
        rows = _read_json(path, source.compression)
    names = rows.collect_schema().names()
    if "rank" not in names and "avg_rating" in names:
        rows = rows.with_row_index("rank", offset=1).with_columns(score="avg_rating")
        names = ["rank", "score", *names]
    if missing := [name for name in _ALWAYS if name not in names]:
        if not names:  # an empty JSON array
            return pl.LazyFrame(schema={name: getattr(pl, _DTYPES[name]) for name in _ALWAYS})
        raise ValueError(f"it lacks the columns {', '.join(missing)}")
    return rows.select(pl.col(name).cast(getattr(pl, dtype)) for name, dtype in _DTYPES.items() if name in names)


def _schema(names: Collection[str] = tuple(_DTYPES)) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {name: getattr(pl, dtype) for name, dtype in _DTYPES.items() if name in names}


def _scan_ndjson(path: Path, compression: Compression) -> pl.LazyFrame:
    _, block = next(text_blocks(path, compression), (1, b""))
    first = block.partition(b"\n")[0]
    return pl.scan_ndjson(path, schema=_schema(json.loads(first))) if first.strip() else pl.LazyFrame()


def _read_json(path: Path, compression: Compression) -> pl.LazyFrame:
    text = whole_text(path, compression).strip()
    if text == b"[]":
        return pl.LazyFrame()
    # Polars would need twice the time to find the columns itself.
    first, _ = json.JSONDecoder().raw_decode(text[:_LONGEST_OBJECT].decode(errors="replace"), 1)
    return pl.read_json(BytesIO(text), schema=_schema(first)).lazy()
