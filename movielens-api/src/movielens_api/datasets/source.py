"""Where the files of a dataset in GroupLens' format are: in a folder or in a zip."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from movielens_api.errors import DamagedDatasetError, StartupError

RATINGS = "ratings.csv"
MOVIES = "movies.csv"


class Source(Protocol):
    """The files of a dataset."""

    @property
    def path(self) -> Path:
        """The folder or the zip."""

    def state(self) -> object:
        """Return what changes when the files do, for JSON."""

    def place(self, name: str) -> str:
        """Return what messages call a file."""

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file to read its bytes.

        Raises:
            StartupError: it is missing or may not be read.
            DamagedDatasetError: it cannot be unpacked.
        """


class FolderSource:
    """A folder with the files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def state(self) -> object:
        """Return what changes when the files do, for JSON."""
        return [_state(self.path / name) for name in (RATINGS, MOVIES)]

    def place(self, name: str) -> str:
        """Return what messages call a file."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file to read its bytes.

        Raises:
            StartupError: it is missing or may not be read.
        """
        for needed in (RATINGS, MOVIES):
            if not (self.path / needed).is_file():
                raise StartupError(f"{self.path} has no {needed}: a dataset is a folder with {RATINGS} and {MOVIES}")
        path = self.path / name
        with _readable(path), path.open("rb") as file:
            yield file


class ZipSource:
    """A zip with the files, at its top or in the one folder there, as GroupLens packs them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def state(self) -> object:
        """Return what changes when the files do, for JSON."""
        return _state(self.path)

    def place(self, name: str) -> str:
        """Return what messages call a file."""
        return f"{self.path}, {name}"

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file to read its bytes, which are unpacked as they are read.

        Raises:
            StartupError: it is missing or may not be read.
            DamagedDatasetError: it cannot be unpacked.
        """
        try:
            with (
                _readable(self.path),
                zipfile.ZipFile(self.path) as archive,
                archive.open(self._member(archive, name)) as file,
            ):
                yield file
        # RuntimeError: it wants a password. NotImplementedError: it is packed in a way that Python cannot undo.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise DamagedDatasetError(
                f"{self.place(name)} cannot be unpacked: {error or 'it ends too early'}"
            ) from error

    def _member(self, archive: zipfile.ZipFile, name: str) -> str:
        found = [member for member in archive.namelist() if member == name or _is_in_top_folder(member, name)]
        if len(found) != 1:
            raise StartupError(
                f"{self.path} has {len(found) or 'no'} {name}: "
                f"a dataset is a zip of one folder with {RATINGS} and {MOVIES}"
            )
        return found[0]


def _is_in_top_folder(member: str, name: str) -> bool:
    folder, _, rest = member.partition("/")
    return rest == name and folder != "__MACOSX"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror or error}") from error


def _state(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]
