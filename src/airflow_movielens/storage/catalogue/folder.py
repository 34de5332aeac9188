"""The files of a catalogue, in a local folder or on object storage."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from airflow_movielens.ratings.atomic_files import whole_file
from airflow_movielens.ratings.own_folders import refuse_foreign_link
from airflow_movielens.ratings.paths import local_path, path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

ENDING = ".json"
MAX_BYTES = 64 * 2**20
"""No file of a catalogue is larger: an index has some hundred bytes for each record of a month."""
THREADS = 8
"""How many files of object storage are read or written at once: it takes some tens of milliseconds for each."""

_FOLDER = ".movielens-catalogue"
_REMOVABLE = re.compile(r"(.+/)?(\d{8}T\d{6}Z-[0-9a-f]{24}|\d{4}-\d{2})\.json", re.ASCII)
"""The names of entries and indexes; no others are ever removed."""


class CatalogueFolder(Protocol):
    """The folder of a catalogue. Names are relative to it, with slashes."""

    @property
    def address(self) -> str:
        """The absolute path or URL of the folder."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None if there is none."""

    def read_all(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the contents of files as `read` returns them; of object storage, several are read at once."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, which appears whole and replaces one of that name.

        Raises:
            OSError: It cannot be written, or another user has planted a symbolic link where its folder should be.
        """

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the JSON files directly in a folder; none if it is missing."""

    def all_names(self) -> list[str]:
        """Return the sorted names of all JSON files, also of those in folders."""

    def remove(self, name: str) -> None:
        """Remove an entry or index if it exists; files of other names stay.

        Raises:
            PermissionError: Deletions are not permitted, or another user has planted a symbolic link where the folder
                should be.
        """


def catalogue_folder(root: str) -> CatalogueFolder:
    """Return the folder of the catalogue of a data root, which may not exist yet.

    Args:
        root: A local path, or a URL that Airflow's ``ObjectStoragePath`` accepts.

    Raises:
        ValueError: It is neither.
        FatalError: The object storage is not available.
    """
    local = local_path(root)
    if local is not None:
        return _LocalFolder(local.absolute() / _FOLDER)
    from airflow_movielens.storage.object_store import object_at

    return _ObjectFolder(object_at(path_text(root)) / _FOLDER)


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = str(path)

    def read(self, name: str) -> bytes | None:
        path = self._path / name
        try:
            if path.is_fifo():  # reading it would never end
                raise OSError(f"{path} is a pipe")
            with path.open("rb") as file:
                return _whole(file.read(MAX_BYTES + 1), str(path))
        except FileNotFoundError:
            return None

    def read_all(self, names: Iterable[str]) -> Iterator[bytes | None]:
        # One after the other: it takes no longer, and each thread would keep memory for itself.
        return map(self.read, names)

    def write(self, name: str, content: bytes) -> None:
        with whole_file(self._own(name)) as partial:
            partial.write_bytes(content)

    def names(self, folder: str) -> list[str]:
        try:
            found = os.listdir(self._path / folder)  # noqa: PTH208 - only the names
        except FileNotFoundError:
            return []
        return sorted(name for name in found if _is_file(name))

    def all_names(self) -> list[str]:
        files = (path for path in self._path.rglob(f"*{ENDING}") if _is_file(path.name))
        return sorted(path.relative_to(self._path).as_posix() for path in files)

    def remove(self, name: str) -> None:
        if _REMOVABLE.fullmatch(name):
            self._own(name).unlink(missing_ok=True)

    def _own(self, name: str) -> Path:
        """Return the path of a file in folders that no other user has replaced by symbolic links."""
        path = self._path / name
        for folder in (self._path / parent for parent in PurePath(name).parents):
            refuse_foreign_link(folder)
        return path


class _ObjectFolder:
    def __init__(self, target: ObjectStoragePath) -> None:
        self._target = target
        self.address = str(target)

    def read(self, name: str) -> bytes | None:
        from airflow_movielens.storage.object_store import named_errors

        target = self._target / name
        try:
            with named_errors(str(target), "read"):
                content: bytes = target.fs.cat_file(target.path, end=MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        return _whole(content, str(target))

    def read_all(self, names: Iterable[str]) -> Iterator[bytes | None]:
        left = iter(names)
        with ThreadPoolExecutor(THREADS) as threads:
            # As many at a time as are read at once: the contents of three years would take more memory than the page.
            while batch := list(islice(left, THREADS)):
                yield from threads.map(self.read, batch)

    def write(self, name: str, content: bytes) -> None:
        from airflow_movielens.storage.object_store import named_errors

        target = self._target / name
        with named_errors(str(target), "written"):
            target.fs.pipe_file(target.path, content)

    def names(self, folder: str) -> list[str]:
        from airflow_movielens.storage.object_store import named_errors

        target = self._target / folder
        # Other processes write here, so a listing that was kept is of no use.
        target.fs.invalidate_cache(target.path)
        try:
            with named_errors(str(target), "listed"):
                found = target.fs.ls(target.path, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for name in (path.rpartition("/")[2] for path in found) if _is_file(name))

    def all_names(self) -> list[str]:
        from airflow_movielens.storage.object_store import named_errors

        self._target.fs.invalidate_cache(self._target.path)
        with named_errors(str(self._target), "listed"):
            found = self._target.fs.find(self._target.path)
        start = self._target.path.rstrip("/") + "/"
        return sorted(path.removeprefix(start) for path in found if _is_file(path.rpartition("/")[2]))

    def remove(self, name: str) -> None:
        if not _REMOVABLE.fullmatch(name):
            return
        target = self._target / name
        try:
            target.fs.rm_file(target.path)
        except FileNotFoundError:
            pass  # another process was faster
        except PermissionError as error:
            raise PermissionError(f"{target} cannot be removed: {error}") from error


def _whole(content: bytes, address: str) -> bytes:
    if len(content) > MAX_BYTES:
        raise OSError(f"{address} is larger than {MAX_BYTES // 2**20} MB")
    return content


def _is_file(name: str) -> bool:
    """Return whether a name is that of a file of the catalogue: unfinished files are hidden, folders have no ending."""
    return name.endswith(ENDING) and not name.startswith(".")
