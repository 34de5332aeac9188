"""The output of a fetch with its manifest, and the folder of its parts until it is complete."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME, FileCheckpoints
from airflow_movielens.client.fetch.workdirs import NAMES_OF_PARTS, claimed_folder
from airflow_movielens.ratings.atomic_files import flush_to_disk, move_into_place, write_whole
from airflow_movielens.ratings.locks import MAX_WAIT, one_at_a_time
from airflow_movielens.ratings.own_folders import remove_files
from airflow_movielens.ratings.paths import local_path, output_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from contextlib import AbstractContextManager
    from os import PathLike
    from pathlib import Path

    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.ratings.task_run import TaskRun

log = logging.getLogger(__name__)

QUARANTINE_ENDING = ".quarantine.ndjson"
"""The suffix that the file of quarantined rows adds to the name of the data file."""

_ERRNO_IN_TEXT = re.compile(r"\(os error (\d+)\)", re.ASCII)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Manifest:
    """The facts about a fetched file.

    Attributes:
        path: The path or URL of the file, as the user gave it.
        start_date: First UTC day of the window, ``YYYY-MM-DD``; None if it is open.
        end_date: First UTC day after the window; None if it is open.
        rows: How many ratings the file holds.
        histogram: How many of them have 0.5, 1, … 5 stars: 10 numbers.
        quarantined: How many further rows broke the contract.
        quarantine_path: The file of these rows; None if there are none.
        snapshot: The server's name for the state of the data; None if it sends none.
        sha256: Of the file, in hexadecimal digits.
        bytes: Size of the file.
        source: Base URL of the API.
        fetched_at: When the fetch was complete, in UTC as ISO 8601.
        package_version: The version of this package.
        task: The task instance of Airflow that fetched; None if none did.
    """

    path: str
    start_date: str | None
    end_date: str | None
    rows: int
    histogram: list[int]
    quarantined: int
    quarantine_path: str | None
    snapshot: str | None
    sha256: str
    bytes: int
    source: str
    fetched_at: str
    package_version: str
    task: TaskRun | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as values that JSON can hold."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the content of the manifest file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


class ManifestFile(Protocol):
    """A manifest that is published beside the file that it describes."""

    def to_json(self) -> str:
        """Return the content of the manifest file."""


def manifest_name(name: str) -> str:
    """Return the name of the hidden manifest file of the file ``name``."""
    return f".{name}.manifest.json"


class PartsFolder(Protocol):
    """The folder of the parts of a window until the window is complete."""

    @property
    def local(self) -> Path:
        """A local folder, where files are written and read."""

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the checkpoint is stored; that of whole parts, unless the caller has a better place."""

    @property
    def saves_early(self) -> bool:
        """Whether pages are to be saved before their part ends: someone may resume, and it may be done often."""

    def save(self, name: str) -> None:
        """Make the finished file ``name`` of `local` durable for later attempts."""

    def load(self, name: str) -> None:
        """Make the file ``name`` of an earlier attempt available in `local`.

        Raises:
            FileNotFoundError: The file no longer exists.
        """

    def discard(self, names: Collection[str]) -> None:
        """Free the space of files of this attempt that are no longer needed, if that is worth it."""

    def clear(self) -> None:
        """Remove the files of this and earlier attempts, after the window is published."""


class Output(Protocol):
    """The output of a fetch."""

    @property
    def path(self) -> str:
        """The path or URL of the file, as the user gave it."""

    @property
    def address(self) -> str:
        """The absolute path or URL: two outputs are the same if their addresses are equal."""

    @property
    def name(self) -> str:
        """The name of the file, without folders; its extension selects the format."""

    def folder(self, key: str) -> AbstractContextManager[PartsFolder]:
        """Yield the folder of the fetch ``key``, with the files of earlier attempts."""

    def publish(self, data: Path, quarantine: Path | None, manifest: ManifestFile) -> None:
        """Publish the finished file ``data``, its quarantine file and its manifest.

        The files of an earlier fetch are replaced; a manifest never lies beside a file that it does not describe.
        """


class LocalFolder:
    """A local folder for the parts of a window; see `PartsFolder`.

    Args:
        path: The folder.
        saves_early: See `PartsFolder`.
    """

    def __init__(self, path: Path, *, saves_early: bool = True) -> None:
        self.local = path
        self.saves_early = saves_early
        self.checkpoints: Checkpoints = FileCheckpoints(path / CHECKPOINT_NAME)

    def save(self, name: str) -> None:
        """Flush the file to the disk."""
        flush_to_disk(self.local / name)
        flush_to_disk(self.local)

    def load(self, name: str) -> None:
        """Check that the file exists."""
        if not (self.local / name).is_file():
            raise FileNotFoundError(f"{self.local / name} is gone")

    def discard(self, names: Collection[str]) -> None:
        """Remove the files."""
        for name in names:
            (self.local / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all parts."""
        remove_files(self.local, NAMES_OF_PARTS)


@contextmanager
def _named_errors(output: Path) -> Iterator[None]:
    """Name the output in errors of the hidden files beside it, and in those of Polars, which name no file and no errno.

    Raises:
        OSError: The output cannot be written.
    """
    try:
        yield
    except OSError as error:
        texts = [text for text in (*error.args, error.filename, error.filename2) if isinstance(text, str)]
        by_polars = _ERRNO_IN_TEXT.search(str(error))
        number = error.errno or (int(by_polars[1]) if by_polars else 0)
        is_hidden = any(f".partial-{output.name}" in text for text in texts)
        if not number or not (is_hidden or (error.filename is None and number in _NO_ROOM)):
            raise
        raise OSError(number, os.strerror(number), str(output)) from error


class LocalOutput:
    """A local file as output; see `Output`.

    Args:
        path: The file; its extension selects the format.
        max_wait: How many seconds to wait for another process that puts its files into the same folder.

    Raises:
        ValueError: The path cannot be that of an output (see `output_text`), or is a URL of object storage.
    """

    def __init__(self, path: str | PathLike[str], *, max_wait: float = MAX_WAIT) -> None:
        self.path = output_text(path)
        local = local_path(self.path)
        if local is None:
            raise ValueError(f"{self.path} is not a local file: give a path of this machine")
        self._file = local.absolute()
        self._max_wait = max_wait

    @property
    def address(self) -> str:
        """The absolute path."""
        return str(self._file)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._file.name

    @contextmanager
    def folder(self, key: str) -> Iterator[LocalFolder]:
        """Yield a hidden folder beside the file; see `claimed_folder`."""
        with _named_errors(self._file), claimed_folder(self._file, key) as folder:
            yield LocalFolder(folder)

    def publish(self, data: Path, quarantine: Path | None, manifest: ManifestFile) -> None:
        """Rename the files; see `Output`."""
        manifest_file = self._file.with_name(manifest_name(self.name))
        quarantine_file = self._file.with_name(self.name + QUARANTINE_ENDING)
        with one_at_a_time(self._file.parent, self._max_wait):
            manifest_file.unlink(missing_ok=True)
            if quarantine is None:
                quarantine_file.unlink(missing_ok=True)
            else:
                move_into_place(quarantine, quarantine_file)
            published = data.stat()
            move_into_place(data, self._file)
            write_whole(data.with_name("manifest.json"), manifest.to_json().encode())
            # If this process was stopped for longer than others wait, one of them may have published its own file.
            if os.path.samestat(self._file.stat(), published):
                move_into_place(data.with_name("manifest.json"), manifest_file)
            else:
                log.warning("Another process has replaced %s and its manifest meanwhile", self._file)
