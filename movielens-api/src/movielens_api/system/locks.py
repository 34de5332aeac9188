"""Locks between processes. The operating system releases a lock when its holder dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.system import private_files

try:
    import fcntl
except ImportError:  # Windows, where a lock does nothing: the server is a single process there
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from io import BufferedRandom
    from pathlib import Path


class FileLock:
    """An exclusive lock on a file. A process that inherits the open file holds the lock, too.

    Use it as a context manager to hold the lock for a block of code.

    Args:
        path: The file. It is created if necessary, for its owner alone, and never deleted.

    Attributes:
        file: The open file.

    Raises:
        OSError: The file cannot be opened, or is a symbolic link.
    """

    def __init__(self, path: Path) -> None:
        self.file: BufferedRandom = open(path, "a+b", opener=private_files.opener)  # noqa: SIM115

    def acquire(self, *, blocking: bool = True) -> bool:
        """Acquire the lock.

        Args:
            blocking: Whether to wait until the lock is free.

        Returns:
            Whether the lock was acquired.
        """
        if fcntl:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def release(self) -> None:
        """Release the lock."""
        if fcntl:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, which releases the lock unless another process inherited it."""
        self.file.close()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()
