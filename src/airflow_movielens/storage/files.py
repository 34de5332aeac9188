"""Files that tasks read and write: local paths, or any URL that Airflow's ``ObjectStoragePath`` accepts."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.client.fetch.output import manifest_name
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.ranking.manifest import RankingManifest
from airflow_movielens.ratings.paths import FileFormat, local_path, output_text
from airflow_movielens.ratings.reading import scan_files
from airflow_movielens.ratings.writing import write_rows
from airflow_movielens.storage.input_facts import input_file
from airflow_movielens.storage.object_output import ObjectOutput
from airflow_movielens.storage.object_store import named_errors, object_at
from airflow_movielens.storage.s3 import S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from os import PathLike
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.fetch import Output
    from airflow_movielens.client.fetch.output import ManifestFile
    from airflow_movielens.ranking import RankingOptions
    from airflow_movielens.ranking.manifest import InputFile, RankingSources
    from airflow_movielens.ratings.schema import Table
    from airflow_movielens.ratings.task_run import TaskRun
    from airflow_movielens.storage.copy_limit import CopyLimit

AnyManifest = TypeVar("AnyManifest", bound="ManifestFile")

_UNFINISHED_KEY = sha256(b"ranking").hexdigest()[:16]
"""Names the folder of an unfinished file beside the output, as the key of a fetch does."""


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


def write_ranking(
    ranking: pl.DataFrame, path: str, options: RankingOptions, sources: RankingSources, task: TaskRun | None = None
) -> RankingManifest:
    """Write a ranking to ``path``, whole or not at all, with its manifest beside it; errors as in `write_file`.

    Args:
        ranking: The ranking.
        path: The file to write; its extension selects the format.
        options: How the movies were ranked.
        sources: What the ranking was computed from.
        task: The task instance of Airflow that ranked, for the manifest; None if none did.
    """

    def manifest_of(written: InputFile) -> RankingManifest:
        return RankingManifest.of(written, len(ranking), options, sources, task)

    return write_file(ranking.lazy(), path, manifest_of)


def write_file(rows: pl.LazyFrame, path: str, manifest_of: Callable[[InputFile], AnyManifest]) -> AnyManifest:
    """Write rows to ``path``, whole or not at all, with a manifest beside it, and return the manifest.

    Args:
        rows: The rows; memory use does not grow with their number.
        path: The file to write; its extension selects the format.
        manifest_of: Returns the manifest of the written file.

    Raises:
        ValueError: The path cannot be that of an output.
        FatalError: Access is denied.
    """
    output = output_of(path)
    with output.folder(_UNFINISHED_KEY) as folder:
        data = folder.local / output.name
        write_rows(rows, data, FileFormat.of(output.name))
        manifest = manifest_of(input_file(path, data))
        output.publish(data, None, manifest)
    return manifest


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
        copies = {file: local_copy(file, folder / str(number)) for number, file in enumerate(files)}
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


def local_copy(path: str, folder: Path, limit: CopyLimit | None = None) -> Path:
    """Copy a remote file into a new folder, and return the copy's path; a local file stays where it is.

    Facts that lie in the metadata of an object are put beside the copy, in place of its manifest.

    Args:
        path: The path or URL of the file.
        folder: The folder to create if the file is remote.
        limit: How much may be copied; None for no limit.

    Raises:
        FileNotFoundError: The remote file does not exist.
        CopyLimitError: It is larger than the limit.
        FatalError: Access is denied.
    """
    local = local_path(path)
    if local is not None:
        return local
    from airflow_movielens.storage.copy_limit import CopyLimit, LimitedCopy

    source = object_at(path)
    copy = folder / PurePosixPath(source.path).name
    folder.mkdir()
    progress = LimitedCopy(limit or CopyLimit(sys.maxsize))
    bucket = S3Bucket.of(source)
    with named_errors(path, "read"):
        if bucket is None:
            source.fs.get_file(source.path, str(copy), callback=progress)
        elif facts := bucket.download(bucket.key_of(source), copy, progress):
            copy.with_name(manifest_name(copy.name)).write_text(facts, encoding="ascii")
    # Some file systems say nothing while they copy.
    progress.absolute_update(copy.stat().st_size)
    return copy


def read_files(
    files: Sequence[str], table: Table, columns: Sequence[str]
) -> tuple[pl.DataFrame | None, list[InputFile]]:
    """Return the rows of files, None if there are no files, and the facts about the files.

    Args:
        files: The paths or URLs of the files.
        table: The table of their rows.
        columns: The columns to read.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as this table.
        FatalError: Access is denied.
    """
    with local_copies(files) as paths:
        rows = scan_files(paths, table, columns).collect() if paths else None
        return rows, [input_file(file, path) for file, path in zip(files, paths, strict=True)]
