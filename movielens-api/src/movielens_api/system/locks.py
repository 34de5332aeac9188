"""Locks between processes, which the system releases when their holder dies."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Lock:
    """A lock on a file. Processes that inherit the open file hold the lock, too.

    Args:
        path: the file, which is made if need be and stays.
    """

    def __init__(self, path: Path) -> None:
        self.file: IO[bytes] = path.open("a+b")

    def take(self) -> None:
        """Wait until nobody else has it, and take it."""
        _flock(self.file, "LOCK_EX")

    def try_to_take(self) -> bool:
        """Take it unless somebody has it, and tell whether that went well."""
        try:
            _flock(self.file, "LOCK_EX", "LOCK_NB")
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others take it."""
        _flock(self.file, "LOCK_UN")

    def close(self) -> None:
        """Let go of the file, and of the lock unless another process inherited it."""
        self.file.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the lock for a while."""
        self.take()
        try:
            yield
        finally:
            self.release()


def _flock(file: IO[bytes], *flags: str) -> None:
    if sys.platform == "win32":  # where SQLite's own locks must do
        return
    import fcntl

    fcntl.flock(file, sum(getattr(fcntl, flag) for flag in flags))
