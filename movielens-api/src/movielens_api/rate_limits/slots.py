"""A number per user in memory that all processes of a server share: a small file mapped by each."""

import mmap
import os
from hashlib import blake2b
from itertools import chain
from pathlib import Path

from movielens_api.errors import StartupError

try:
    import fcntl
except ImportError:  # Windows, where a server is one process
    fcntl = None  # type: ignore[assignment]

SLOTS = 8_192
NUMBER = 8


class Slots:
    """A float64 per user; a dict of numbers that belongs to every process, and to one of them at a time: `with slots:`.

    The file holds the numbers, then as many names (8 bytes of a hash each), which says whose a number is.
    A name takes the first free slot, once per server. Should all be taken, users share slots.

    Args:
        path: the file; None for a process alone.

    Raises:
        StartupError: the file cannot be made.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._slots: dict[str, int] = {}
        size = 2 * SLOTS * NUMBER
        self._file = None if path is None else _open(path, size)
        shared = memoryview(mmap.mmap(-1 if self._file is None else self._file, size))
        self._numbers = shared[: SLOTS * NUMBER].cast("d")
        self._names = shared[SLOTS * NUMBER :].cast("Q")

    def __enter__(self) -> None:
        if self._file is not None and fcntl:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_error: object) -> None:
        if self._file is not None and fcntl:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def __getitem__(self, user: str) -> float:
        """Return the number of a user; zero at first."""
        number: float = self._numbers[self._slot(user)]
        return number

    def __setitem__(self, user: str, number: float) -> None:
        self._numbers[self._slot(user)] = number

    def _slot(self, user: str) -> int:
        slot = self._slots.get(user)
        if slot is None:
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


def _open(path: Path, size: int) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(file, size)  # what is new is zero, what was there stays
    except OSError as error:
        raise StartupError(f"cannot write {path} (see --data-dir): {error.strerror or error}") from error
    return file
