"""Rate limiting per user. All processes of a server share the state of each user's ``Rate`` in a file."""

from __future__ import annotations

import mmap
import time
from hashlib import blake2b
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError
from movielens_api.http import problems
from movielens_api.system import private_files
from movielens_api.system.locks import FileLock
from movielens_api.system.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SLOTS = 8_192
_BYTES_PER_SLOT = 8
WINDOW = 1  # seconds


class Slots:
    """A float64 per user, shared by all processes. As a context manager, it locks out the other processes.

    The file contains the numbers, then as many names: an 8-byte hash of the user for each number. A user takes the
    first free slot, once per server. If all slots are taken, users share them.

    Args:
        path: The file, or None for a single process.
        clock: Returns the time in seconds. All processes use the same monotonic clock.

    Raises:
        StartupError: The file cannot be created.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._slots: dict[str, int] = {}
        size = 2 * SLOTS * _BYTES_PER_SLOT
        self._lock = _open(path, size) if path else None
        shared = memoryview(mmap.mmap(self._lock.file.fileno() if self._lock else -1, size))
        self._numbers = shared[: SLOTS * _BYTES_PER_SLOT].cast("d")
        self._names = shared[SLOTS * _BYTES_PER_SLOT :].cast("Q")

    def __enter__(self) -> None:
        if self._lock:
            self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        if self._lock:
            self._lock.release()

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
        name = (
            int.from_bytes(blake2b(user.encode(errors="surrogateescape"), digest_size=_BYTES_PER_SLOT).digest(), "big")
            or 1
        )
        first = name % SLOTS
        for slot in chain(range(first, SLOTS), range(first)):
            if self._names[slot] in (0, name):
                self._names[slot] = name
                return slot
        return first


def _open(path: Path, size: int) -> FileLock:
    try:
        private_files.make_folder(path.parent)
        lock = FileLock(path)
        lock.file.truncate(size)  # new bytes are zero, existing ones stay
    except OSError as error:
        raise StartupError(f"cannot write {path} (see --data-dir): {error.strerror or error}") from error
    return lock


class RateLimitMiddleware:
    """Middleware that allows each user a number of requests at once and per second, and responds to more with 429.

    Every response reports how many requests are left, in the headers of draft-ietf-httpapi-ratelimit-headers-11. All
    processes share the limit exactly: each reads and writes a user's number under a lock.

    Args:
        app: The application inside the authentication, which sets ``scope["user"]``. Without a user, there is no limit.
        requests: How many requests are allowed per second, and at once.
        slots: For each user, the time at which the allowance is full again.
    """

    def __init__(self, app: ASGIApp, requests: int, slots: Slots) -> None:
        self.app = app
        self.rate = Rate(WINDOW / requests, requests)
        self.slots = slots
        self.policy = (b"ratelimit-policy", b'"default";q=%d;w=%d' % (requests, WINDOW))
        self.refusal = f"More than {requests} requests per second. Wait as long as the Retry-After header says."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 429."""
        user = scope.get("user")
        if user is None:
            await self.app(scope, receive, send)
            return
        wait, left = self._take(user.name)
        app = self.app
        if wait:
            retry = {"Retry-After": str(max(1, ceil(wait)))}
            app = problems.respond(scope["path"], 429, self.refusal, headers=retry)
        fields = (self.policy, (b"ratelimit", b'"default";r=%d;t=%d' % (left, WINDOW)))

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *fields]
            await send(message)

        await app(scope, receive, send_with_fields)

    def _take(self, user: str) -> tuple[float, int]:
        """Count a request. Return the seconds that it must wait, or 0, and how many more are allowed."""
        with self.slots:
            now = self.slots.clock()
            arrival = self.slots[user]
            if arrival > now + WINDOW + self.rate.interval:
                arrival = now  # from before a reboot, when the clock started again
            wait = self.rate.wait(arrival, now)
            if not wait:
                arrival = self.slots[user] = self.rate.after(arrival, now)
        return wait, self.rate.left(arrival, now)
