"""Files that tasks read and write: local paths, or any URL that Airflow's ``ObjectStoragePath`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.client.fetch.manifest import QUARANTINE_ENDING
from airflow_movielens.client.fetch.scratch import scratch_folder
from airflow_movielens.object_storage import ObjectOutput
from airflow_movielens.ratings.formats import FileFormat, expand_home
from airflow_movielens.ratings.writing import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

    from airflow_movielens.client.fetch import Output


def write_output(rows: pl.LazyFrame, path: str) -> None:
    """Write rows to ``path``, whole or not at all; an object store sees one put.

    Raises:
        ValueError: The ending is not that of a known file format.
    """
    local = local_path(path)
    if local is not None:
        write_table(rows, local)
        return
    FileFormat.of(path)
    from airflow.sdk import ObjectStoragePath

    target = ObjectStoragePath(path)
    with scratch_folder() as folder:
        written = folder / target.name
        write_table(rows, written)
        target.fs.put_file(str(written), target.path)


def output_of(path: str) -> Output:
    """Make a path or URL an output of a fetch.

    Raises:
        ValueError: The ending is not that of a known file format.
    """
    local = local_path(path)
    return ObjectOutput(path) if local is None else LocalOutput(local)


def local_path(path: str) -> Path | None:
    """Give the local path that ``path`` means; None for a URL of another scheme than ``file``."""
    if "://" not in path:
        return expand_home(path)
    parts = urlsplit(path)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


Manifest = Mapping[str, Any]
"""What `MovielensFetchRatingsOperator` returns; its ``path`` counts."""


@contextmanager
def local_inputs(paths: str | Manifest | Iterable[str | Manifest]) -> Iterator[list[Path]]:
    """Give local copies of what `input_files` finds; see `local_copies`."""
    with local_copies(input_files(paths)) as copies:
        yield copies


@contextmanager
def local_copies(files: Iterable[str]) -> Iterator[list[Path]]:
    """Give local copies of files; local files are given as they are.

    Raises:
        FileNotFoundError: A remote file does not exist.
    """
    with scratch_folder() as folder:
        yield [_fetched(file, folder / str(number)) for number, file in enumerate(files)]


def input_files(paths: str | Manifest | Iterable[str | Manifest]) -> list[str]:
    """Find the files that are meant.

    Args:
        paths: A path, a glob such as ``ratings/2000-11-*.parquet``, a manifest, or several of these. A glob does not
            match hidden files, nor those of quarantined rows.

    Raises:
        FileNotFoundError: A glob matches nothing.
    """
    given = [paths] if isinstance(paths, str | Mapping) else paths
    names = [str(item["path"] if isinstance(item, Mapping) else item) for item in given]
    found = [file for name in names for file in (_matches(name) if _is_pattern(name) else [name])]
    if not found:
        raise FileNotFoundError("no input file is given")
    return found


def _is_pattern(name: str) -> bool:
    """Whether ``name`` is a glob; a file whose very name has brackets is not."""
    local = local_path(name)
    return has_magic(name) and not (local is not None and local.is_file())


def _matches(pattern: str) -> list[str]:
    local = local_path(pattern)
    # Not Path.glob: it would match hidden files too, and so half-written ones.
    found = _remote_matches(pattern) if local is None else sorted(glob(str(local), recursive=True))  # noqa: PTH207
    files = [file for file in found if not file.endswith(QUARANTINE_ENDING)]
    if not files:
        raise FileNotFoundError(f"no file matches {pattern}")
    return files


def _remote_matches(pattern: str) -> list[str]:
    from airflow.sdk import ObjectStoragePath

    root, _, rest = pattern.partition("://")
    bucket, _, key = rest.partition("/")
    found = ObjectStoragePath(f"{root}://{bucket}/").glob(key)
    return sorted(str(file) for file in found if not _is_hidden(file.path, pattern))


def _is_hidden(path: str, pattern: str) -> bool:
    """Whether ``path`` has a part that begins with a dot, unless the pattern names that part itself."""
    return any(part.startswith(".") for part in set(path.split("/")) - set(pattern.split("/")))


def _fetched(path: str, folder: Path) -> Path:
    local = local_path(path)
    if local is not None:
        return local
    from airflow.sdk import ObjectStoragePath

    source = ObjectStoragePath(path)
    copy = folder / PurePosixPath(source.path).name
    folder.mkdir()
    source.fs.get_file(source.path, str(copy))
    return copy
