"""Sources of datasets: a folder or a zip, with the files at the top or in a folder there."""

from __future__ import annotations

import zipfile
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, cast

from movielens_api.errors import DamagedDatasetError, StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Ratings shrink to a quarter, very regular ones to a twentieth.
_MAX_RATIO = 100
_ALWAYS_ALLOWED = 1 << 24
_PACKED_AT_ONCE = 64


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return that many bytes, or those that are left."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return the bytes up to the next line end, or that many."""


class Source(Protocol):
    """A folder or zip with the files of a dataset.

    Attributes:
        kind: The word for it in messages.
    """

    kind: str

    @property
    def path(self) -> Path:
        """The path of the folder or zip."""

    def names(self, *, nested: bool) -> list[str]:
        """Return the paths of the files at the top, or of those in the folders there, with slashes.

        Raises:
            StartupError: The source cannot be read.
            DamagedDatasetError: The zip cannot be unpacked.
        """

    def state(self, names: list[str]) -> object:
        """Return a JSON value that changes when these files change."""

    def place(self, name: str) -> str:
        """Return the name of a file in messages."""

    def open(self, name: str) -> AbstractContextManager[Readable]:
        """Open a file to read its bytes.

        Raises:
            StartupError: The file cannot be read.
            DamagedDatasetError: The zip cannot be unpacked.
        """


class FolderSource:
    """A folder with the files of a dataset."""

    kind = "folder"

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self, *, nested: bool) -> list[str]:
        """Return the paths of the files at the top, or of those in the folders there, with slashes."""
        with _readable(self.path):
            paths = sorted(self.path.iterdir())
            if not nested:
                return [path.name for path in paths if path.is_file()]
            return [f"{path.name}/{name}" for path in paths if path.is_dir() for name in _files_in(path)]

    def state(self, names: list[str]) -> object:
        """Return a JSON value that changes when these files change."""
        return [[name, _state(self.path / name)] for name in names]

    def place(self, name: str) -> str:
        """Return the name of a file in messages."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[Readable]:
        """Open a file to read its bytes.

        Raises:
            StartupError: The file cannot be read.
        """
        path = self.path / name
        with _readable(path), path.open("rb") as file:
            yield file


def _files_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError:
        # A folder beside the files that belongs to another user.
        return []


class ZipSource:
    """A zip with the files of a dataset. One that is far larger unpacked is refused, because it may fill the memory."""

    kind = "zip"

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self, *, nested: bool) -> list[str]:
        """Return the paths of the files at the top, or of those in the folders there, with slashes."""
        with self._archive() as archive:
            names = [_with_slashes(member) for member in archive.infolist()]
        # Not `ZipInfo.is_dir`: Python 3.11 cannot say it of an empty name.
        return [name for name in names if name.count("/") == nested and not name.endswith("/")]

    def state(self, names: list[str]) -> object:
        """Return a JSON value that changes when these files change."""
        return [names, _state(self.path)]

    def place(self, name: str) -> str:
        """Return the name of a file in messages."""
        return f"{self.path}, {name.rpartition('/')[2]}"

    @contextmanager
    def open(self, name: str) -> Iterator[Readable]:
        """Open a file to read its bytes, which are unpacked as they are read.

        Raises:
            StartupError: The file cannot be read.
            DamagedDatasetError: The zip cannot be unpacked.
        """
        with self._archive() as archive:
            member = next(member for member in archive.infolist() if _with_slashes(member) == name)
            self._check_size(member)
            with _unpacking(self.place(name)):
                opened = cast("zipfile.ZipExtFile", archive.open(member))
            with opened as file:
                grows = member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
                yield _Unpacked(file, self.place(name), grows_without_bound=grows)

    def _check_size(self, member: zipfile.ZipInfo) -> None:
        # zipfile unpacks no more than the size that the zip declares.
        packed = min(member.compress_size, self.path.stat().st_size)
        if member.file_size > max(_MAX_RATIO * packed, _ALWAYS_ALLOWED):
            raise DamagedDatasetError(
                f"{self.place(member.filename)} has {packed:,} bytes and {member.file_size:,} unpacked, more than "
                f"{_MAX_RATIO} times as many: unpack it yourself, and pass the folder as --dataset"
            )

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with _readable(self.path), _unpacking(str(self.path)):
            archive = zipfile.ZipFile(self.path)
        with archive:
            yield archive


class _Unpacked:
    """A file in a zip that raises the same error for all damage.

    Args:
        file: The file.
        place: The name of the file in messages.
        grows_without_bound: Whether zipfile unpacks all that it reads at once, whatever its size: by all methods but
            Deflate. A few bytes of bzip2 can be 46 MB.
    """

    def __init__(self, file: zipfile.ZipExtFile, place: str, *, grows_without_bound: bool) -> None:
        self._file = file
        self._place = place
        self._grows_without_bound = grows_without_bound
        if grows_without_bound:
            file.MIN_READ_SIZE = _PACKED_AT_ONCE

    def read(self, size: int, /) -> bytes:
        with _unpacking(self._place):
            return self._read_in_steps(size) if self._grows_without_bound else self._file.read(size)

    def _read_in_steps(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size and (unpacked := self._file.peek(1)):
            content += self._file.read(min(size - len(content), len(unpacked)))
        return bytes(content)

    def readline(self, size: int = -1, /) -> bytes:
        with _unpacking(self._place):
            return self._file.readline(size)


def _with_slashes(member: zipfile.ZipInfo) -> str:
    # Some tools on Windows pack backslashes; some on Unix pack "./".
    return member.filename.replace("\\", "/").removeprefix("./").removeprefix("/")


@contextmanager
def _unpacking(place: str) -> Iterator[None]:
    try:
        yield
    # Only zipfile runs in here. The class of its errors depends on the place of the damage, on the method of
    # compression and on the version of Python. bz2 raises an OSError without a number.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise StartupError(f"cannot read {place}: {error.strerror or error}") from error
        raise DamagedDatasetError(f"{place} cannot be unpacked: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than is available"
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError):
        # It needs a password, or Python lacks this method of compression.
        return f"{text} (unpack it with another program, and pass the folder as --dataset)"
    return text or "it ends too early"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise StartupError(f"cannot read {path}: {error.strerror or error}") from error


def _state(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # Including the time when the inode changed, which programs cannot set, unlike that of the content.
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
