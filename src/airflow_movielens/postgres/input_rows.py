"""The rows of files, as they are loaded, and the windows that these files hold."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.client import DataError
from airflow_movielens.postgres.contents import RECOMMENDATIONS
from airflow_movielens.ratings.reading import columns_in, scan_files
from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.input_facts import fetched_window, input_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client import Window
    from airflow_movielens.postgres.contents import Content
    from airflow_movielens.ranking.manifest import InputFile
    from airflow_movielens.ratings.schema import Column


@dataclass(frozen=True)
class InputRows:
    """Rows to load.

    Attributes:
        content: What they are.
        columns: Their columns; none if they are unknown, because there are no rows.
        rows: The rows; reasons of recommendations as the text of JSON.
        files: The files that they come from; none if they come from an API.
        windows: The windows that the files hold, by the manifests of their fetches; None if one of them has none.
    """

    content: Content
    columns: list[Column]
    rows: pl.LazyFrame
    files: Sequence[InputFile] = ()
    windows: list[Window] | None = None


@contextmanager
def rows_of_files(files: list[str], content: Content) -> Iterator[InputRows]:
    """Yield the rows of files.

    Args:
        files: The paths or URLs of the files.
        content: What they hold.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as this content.
        DataError: A file holds no recommendations.
        FatalError: Access is denied.
    """
    with local_copies(files) as paths:
        facts = [input_file(file, path) for file, path in zip(files, paths, strict=True)]
        if content.table is RECOMMENDATIONS:
            yield InputRows(content, content.columns(()), _recommendations(files, paths), facts)
            return
        names = columns_in(paths[0], content.table)
        columns = content.columns(names)
        rows = scan_files(paths, content.table, [column.name for column in columns])
        if not names and not content.is_of_a_window:
            columns = []  # JSON without rows
        windows = list(map(fetched_window, facts, paths)) if content.is_of_a_window else []
        known = [window for window in windows if window is not None]
        yield InputRows(content, columns, rows, facts, known if known and len(known) == len(windows) else None)


def _recommendations(files: Sequence[str], paths: Sequence[Path]) -> pl.LazyFrame:
    import polars as pl

    wanted = pl.Schema({"userId": pl.Int32(), "rank": pl.Int32(), "movieId": pl.Int32(), "score": pl.Float32()})
    for file, path in zip(files, paths, strict=True):
        try:
            found = pl.scan_parquet(path, glob=False).collect_schema()
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {file}") from None
        except (pl.exceptions.PolarsError, OSError) as error:
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file} cannot be read as recommendations in Parquet: {problem}") from error
        if {*wanted.items()} - {*found.items()} or not isinstance(found.get("reasons"), pl.List):
            has = ", ".join(f"{name} ({dtype})" for name, dtype in found.items())
            raise DataError(f"{file} holds no recommendations: it has the columns {has}")
    scanned = pl.concat([pl.scan_parquet(path, glob=False) for path in paths])
    reasons = pl.struct("reasons").struct.json_encode().str.strip_prefix('{"reasons":').str.strip_suffix("}")
    return scanned.select(*wanted, reasons=reasons)
