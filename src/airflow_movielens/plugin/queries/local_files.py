"""The files of a query on this machine: local ones, and copies of remote ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.plugin.queries.files import QueryFile
from airflow_movielens.plugin.root_files import is_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_movielens.storage.copy_limit import CopyLimit

MOST_COPIED = 2**30
"""Bytes that are copied for a query, in all its files."""

_COPIES_AT_ONCE = 8


@contextmanager
def local_files(files: Sequence[str], within: str | None, most: int = MOST_COPIED) -> Iterator[list[QueryFile]]:
    """Yield local files and copies of remote ones, which are removed at the end.

    A file that cannot be copied is for the query to judge.

    Args:
        files: The paths or URLs.
        within: A folder or URL: files elsewhere are not read, also if a link leads there; None for no limit.
        most: How many bytes may be copied.
    """
    from airflow_movielens.client.fetch.workdirs import scratch_folder
    from airflow_movielens.storage.copy_limit import CopyLimit

    limit = CopyLimit(most)
    with scratch_folder() as folder:
        folders = (folder / str(number) for number in range(len(files)))
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
            local = list(pool.map(partial(_local_file, within, limit), files, folders))
        yield local


def _local_file(within: str | None, limit: CopyLimit, file: str, folder: Path) -> QueryFile:
    from airflow_movielens.client.errors import MovielensError
    from airflow_movielens.storage.copy_limit import CopyLimitError
    from airflow_movielens.storage.files import local_copy

    if within is not None and not is_in(within, file):
        return QueryFile(file, file, f"{file} is not in {within}, so the page does not read it")
    try:
        return QueryFile(file, str(local_copy(file, folder, limit)))
    except CopyLimitError:
        problem = f"{file} is too large: a view copies at most {limit.most:,} bytes from object storage"
        return QueryFile(file, file, problem)
    except (OSError, ValueError, MovielensError) as error:
        return QueryFile(file, file, str(error))
