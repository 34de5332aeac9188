"""Files that tasks read and write: local paths, or any URL that Airflow's ``ObjectStoragePath`` accepts."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.ratings.paths import local_path, output_text
from airflow_movielens.ratings.writing import write_table
from airflow_movielens.storage.object_store import ObjectOutput, named_errors, object_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.fetch import Output


def checked_output(path: str | PathLike[str]) -> str:
    """Return the path or URL of a file to write as text, checked before anything is read or requested.

    Raises:
        ValueError: The path cannot be that of an output; see `output_text`.
        FatalError: The object storage of the path is not available.
    """
    text = output_text(path)
    if local_path(text) is None:
        object_at(text)
    return text


def write_output(rows: pl.LazyFrame, path: str) -> None:
    """Write rows to ``path``, whole or not at all; an object store sees one put.

    Raises:
        ValueError: The path cannot be that of an output.
        FatalError: Access is denied.
    """
    text = output_text(path)
    local = local_path(text)
    if local is not None:
        write_table(rows, local)
        return
    target = object_at(text)
    with scratch_folder() as folder:
        written = folder / target.name
        write_table(rows, written)
        with named_errors(text, "written"):
            target.fs.put_file(str(written), target.path)


def output_of(path: str | PathLike[str]) -> Output:
    """Return a path or URL as an output of a fetch; errors as in `checked_output`."""
    text = checked_output(path)
    return ObjectOutput(text) if local_path(text) is None else LocalOutput(text)


@contextmanager
def local_copies(files: Iterable[str]) -> Iterator[list[Path]]:
    """Yield local copies of remote files; local files are yielded as they are.

    Raises:
        FileNotFoundError: A remote file does not exist.
        FatalError: Access is denied.
    """
    with scratch_folder() as folder:
        copies = {file: _fetched(file, folder / str(number)) for number, file in enumerate(files)}
        try:
            yield list(copies.values())
        except Exception as error:
            # The user knows the file by its URL, not by the name of a removed copy.
            for file, copy in copies.items():
                if copy.is_relative_to(folder):
                    error.args = tuple(
                        part.replace(str(copy), file) if isinstance(part, str) else part for part in error.args
                    )
            raise


def _fetched(path: str, folder: Path) -> Path:
    local = local_path(path)
    if local is not None:
        return local
    source = object_at(path)
    copy = folder / PurePosixPath(source.path).name
    folder.mkdir()
    with named_errors(path, "read"):
        source.fs.get_file(source.path, str(copy))
    return copy
