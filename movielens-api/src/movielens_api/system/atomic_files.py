"""Files and folders that appear whole or not at all, and survive a power cut.

They are written beside their final place, flushed to the disk, and then renamed.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replace_file(path: Path, *, mode: int = 0o666, temporary: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of ``path`` when the block ends without an error.

    Args:
        path: The file to create or replace.
        mode: The permissions of the new file.
        temporary: Where to write the new file. By default, each process uses a name of its own. With a fixed name,
            which needs a lock, the next attempt overwrites what a crash left.

    Raises:
        OSError: The file cannot be written. ``path`` is unchanged.
    """
    beside = temporary or _beside(path)
    try:
        with open(beside, "wb", opener=partial(os.open, mode=mode)) as file:
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
        beside.mkdir(parents=True)
        yield beside
        for path in (*beside.rglob("*"), beside):
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
