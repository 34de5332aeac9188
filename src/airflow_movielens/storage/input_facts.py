"""The facts about input files: their checksums, and the windows and numbers of ratings that they hold."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import Window
from airflow_movielens.client.fetch.output import manifest_name
from airflow_movielens.ranking.manifest import InputFile, RatingsFile
from airflow_movielens.ranking.spark import numbers_on_spark
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.storage.object_store import named_errors, object_at
from airflow_movielens.storage.spark import spark_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import polars as pl
    from pyspark.sql import DataFrame

    from airflow_movielens.ranking.spark import Numbers


def input_file(path: str, local: Path) -> InputFile:
    """Return the facts about a file.

    Args:
        path: Its path or URL.
        local: The file, or its local copy.
    """
    with local.open("rb") as file:
        return InputFile(path, hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size)


def fetched_window(file: InputFile, copy: Path) -> Window | None:
    """Return the window of the fetch that wrote a file; None if no manifest describes this very file.

    Args:
        file: The facts about the file.
        copy: The file, or its local copy.
    """
    fetched = _manifest_beside(str(copy)) or _manifest_beside(file.path)
    if fetched.get("sha256") != file.sha256 or not {"start_date", "end_date"} <= fetched.keys():
        return None
    return Window.of(fetched["start_date"], fetched["end_date"])


def ratings_files(paths: Sequence[str], copies: Sequence[Path], rows: Sequence[pl.LazyFrame]) -> list[RatingsFile]:
    """Return the facts about files of ratings.

    The window and the number of rows are those of the manifest that a fetch has written beside the file, if it
    describes this very file. Otherwise they are computed from the ratings.

    Args:
        paths: The paths or URLs of the files.
        copies: The files, or their local copies.
        rows: Their ratings.
    """
    files = [input_file(path, copy) for path, copy in zip(paths, copies, strict=True)]
    return [
        # Of a copy, the facts that came with it; see `local_copy`.
        _ratings_file(file, _manifest_beside(str(copy)) or _manifest_beside(file.path), partial(_numbers, ratings))
        for file, copy, ratings in zip(files, copies, rows, strict=True)
    ]


def ratings_files_on_spark(paths: Sequence[str], ratings: DataFrame) -> list[RatingsFile]:
    """Return the facts about files of ratings that Spark reads, as `ratings_files` does.

    Files on object storage are not read for it: their checksums are those of their manifests, if they are of that size.

    Args:
        paths: The paths or URLs of the files.
        ratings: Their ratings; see `ratings_on_spark`.
    """
    numbers = cache(partial(numbers_on_spark, ratings))

    def numbers_of(path: str) -> Numbers:
        return numbers().get(spark_url(path), (0, None, None))

    return [_ratings_file(unread_file(path), _manifest_beside(path), partial(numbers_of, path)) for path in paths]


def unread_file(path: str) -> InputFile:
    """Return the facts about a file without reading it, if it is on object storage; see `ratings_files_on_spark`."""
    local = local_path(path)
    if local is not None:
        return input_file(path, local)
    target = object_at(path)
    with named_errors(path, "read"):
        size = int(target.fs.size(target.path))
    fetched = _manifest_beside(path)
    return InputFile(path, fetched.get("sha256") if fetched.get("bytes") == size else None, size)


def _numbers(ratings: pl.LazyFrame) -> Numbers:
    import polars as pl

    stamps = pl.col("timestamp")
    count, first, last = ratings.select(pl.len(), first=stamps.min(), last=stamps.max()).collect().row(0)
    return count, first, last


def _ratings_file(file: InputFile, fetched: dict[str, Any], numbers: Callable[[], Numbers]) -> RatingsFile:
    if fetched.get("sha256") == file.sha256 and fetched.get("start_date") and fetched.get("end_date"):
        return RatingsFile(**asdict(file), **{name: fetched[name] for name in ("rows", "start_date", "end_date")})
    count, first, last = numbers()
    if first is None or last is None:
        return RatingsFile(**asdict(file), rows=0, start_date=None, end_date=None)
    beyond = min(_day(last).toordinal() + 1, date.max.toordinal())
    start, end = str(_day(first)), str(date.fromordinal(beyond))
    return RatingsFile(**asdict(file), rows=count, start_date=start, end_date=end)


def _day(timestamp: int) -> date:
    return datetime.fromtimestamp(timestamp, UTC).date()


def _manifest_beside(path: str) -> dict[str, Any]:
    """Return the manifest of a fetched file; an empty one if it has none that can be read."""
    local = local_path(path)
    try:
        if local is not None:
            content = local.with_name(manifest_name(local.name)).read_bytes()
        else:
            target = object_at(path)
            # Without a range, some file systems ask for the size first.
            content = target.fs.cat_file((target.parent / manifest_name(target.name)).path, start=0)
        found = parse_json(content)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
