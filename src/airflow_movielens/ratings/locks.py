"""Locks that tell whether the process that made a file is still alive: the system lets go of them when it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def try_lock(path: Path, *, create: bool = False) -> int | None:
    """Lock a file, without waiting.

    Args:
        path: The file.
        create: Whether to make it if it is not there.

    Returns:
        A descriptor that holds the lock until it is closed; None if somebody else holds it, the file is not there (or
        was removed meanwhile) or is another user's, or the file system knows no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held the lock may have removed the file before letting go: then this locks nothing.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for ``folder``; where folders cannot be locked: do not wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
