"""File locks that show whether the process that created a file is alive: the system releases them when it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import tenacity

MAX_WAIT = 30.0
"""Seconds to wait for the lock."""


def try_lock(path: Path, *, create: bool = False) -> int | None:
    """Lock a file, without waiting.

    Args:
        path: The file.
        create: Whether to create the file if it does not exist.

    Returns:
        A descriptor that holds the lock until it is closed; None if another process holds the lock, the file does not
        exist (or was removed meanwhile), is a symbolic link or belongs to another user, or the file system does not
        support locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The previous holder may have removed the file before it released the lock: then this locks nothing.
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


@contextmanager
def one_at_a_time(folder: Path, max_wait: float = MAX_WAIT) -> Iterator[None]:
    """Wait until no other process is in such a block for ``folder``; if the folder cannot be locked, do not wait.

    A process that holds the lock for more than ``max_wait`` seconds hangs or is a foreign one: the block runs without
    it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            _waiting(max_wait)(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _waiting(max_wait: float) -> tenacity.Retrying:
    import tenacity

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(BlockingIOError),
        wait=tenacity.wait_random(0.01, 0.05),
        stop=tenacity.stop_after_delay(max_wait),
        reraise=True,
    )
