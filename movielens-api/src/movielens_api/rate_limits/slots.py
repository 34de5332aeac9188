"""A number per user in memory that all processes of a server share: a small file mapped by each."""

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain
from pathlib import Path

from movielens_api.errors import StartupError

SLOTS = 8_192
NUMBER = 8


class Slots:
    """A float64 per user; a dict of numbers that outlives nobody's requests and belongs to every process.

    The file holds the numbers, then as many names (8 bytes of a hash each), which says whose a number is.
    A name takes the first free slot, once per server and under a lock. Should all be taken, users share slots.

    Args:
        path: the file; None for a process alone.

    Raises:
        StartupError: the file cannot be made.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._slots: dict[str, int] = {}
        shared = memoryview(_map(path, 2 * SLOTS * NUMBER))
        self._numbers = shared[: SLOTS * NUMBER].cast("d")
        self._names = shared[SLOTS * NUMBER :].cast("Q")

    def __getitem__(self, user: str) -> float:
        """Return the number of a user; zero at first."""
        number: float = self._numbers[self._slot(user)]
        return number

    def __setitem__(self, user: str, number: float) -> None:
        self._numbers[self._slot(user)] = number

    def _slot(self, user: str) -> int:
        slot = self._slots.get(user)
        if slot is None:
            with _alone(self._path):
                slot = self._slots[user] = self._claim(user)
        return slot

    def _claim(self, user: str) -> int:
        name = int.from_bytes(blake2b(user.encode(errors="surrogateescape"), digest_size=NUMBER).digest(), "big") or 1
        first = name % SLOTS
        for slot in chain(range(first, SLOTS), range(first)):
            if self._names[slot] in (0, name):
                self._names[slot] = name
                return slot
        return first


def _map(path: Path | None, size: int) -> mmap.mmap:
    if path is None:
        return mmap.mmap(-1, size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, size)  # what is new is zero, what was there stays
            return mmap.mmap(file, size)
        finally:
            os.close(file)
    except OSError as error:
        raise StartupError(f"cannot write {path} (see --data-dir): {error.strerror or error}") from error


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    if path is None or sys.platform == "win32":
        yield
        return
    import fcntl

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
