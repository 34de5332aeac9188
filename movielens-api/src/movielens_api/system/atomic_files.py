"""Files and folders that appear whole or not at all, and survive a power cut.

They are written beside their final place, flushed to the disk, and then renamed. Only their owner can read them.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from movielens_api.system import private_files
from movielens_api.system.private_files import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replace_file(path: Path, *, temporary: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of ``path`` when the block ends without an error.

    Args:
        path: The file to create or replace.
        temporary: Where to write the new file. By default, each process uses a name of its own. With a fixed name,
            which needs a lock, the next attempt removes what a crash left.

    Raises:
        OSError: The file cannot be written. ``path`` is unchanged.
    """
    beside = temporary or _beside(path)
    # Never written to what is there already: it could have another mode, or be a link to another file.
    beside.unlink(missing_ok=True)
    try:
        with open(beside, "wb", opener=private_files.opener_of_new) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink()
    flush(path.parent)


@contextmanager
def create_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that is renamed to ``folder`` when the block ends without an error.

    Args:
        folder: The folder to create. It must not exist when the block ends.

    Raises:
        OSError: The folder cannot be written. Nothing of it is left.
    """
    beside = _beside(folder)
    # A killed process with the same id may have left one.
    shutil.rmtree(beside, ignore_errors=True)
    try:
        private_files.make_folder(beside.parent)
        beside.mkdir(FOLDER_MODE)
        yield beside
        for path in (*beside.rglob("*"), beside):
            path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
            flush(path)
        beside.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def move_file(source: Path, target: Path) -> None:
    """Flush a complete file and rename it, replacing ``target`` if it exists."""
    flush(source)
    source.replace(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    if sys.platform == "win32":  # which cannot flush what is open for reading only
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
