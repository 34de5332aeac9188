"""Logins that wait for their hash: one is hashed at a time, and few of each user and each address wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from movielens_api.auth.login_throttle import Origin

WAITING = 32
WAITING_OF_ADDRESS = 8
WAITING_OF_USER = 4
_SECONDS_PER_LOGIN = 0.3


class LoginsLimitedError(Exception):
    """Too many logins failed or are in progress, so this one is not tried.

    Attributes:
        seconds: After how many seconds to retry.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class _Waiting:
    origin: Origin
    requests: int = 0


class LoginQueue:
    """The logins that are hashed or wait for it. Requests with the same login wait together, as one."""

    def __init__(self) -> None:
        # One at a time: a hash takes 32 MiB and a whole core.
        self._hashing = asyncio.Lock()
        self._waiting: dict[bytes, _Waiting] = {}

    @asynccontextmanager
    async def turn(self, login: bytes, origin: Origin) -> AsyncIterator[None]:
        """Wait until it is the turn of a login, and hold up the others while the block runs.

        Args:
            login: Identifies the user and the password.
            origin: Where the login comes from.

        Raises:
            LoginsLimitedError: Too many logins of this user, from this address, or in all, are waiting.
        """
        if login not in self._waiting:
            self._check_room(origin)
        waiting = self._waiting.setdefault(login, _Waiting(origin))
        waiting.requests += 1
        try:
            async with self._hashing:
                yield
        finally:
            waiting.requests -= 1
            if not waiting.requests:
                del self._waiting[login]

    def _check_room(self, origin: Origin) -> None:
        others = [each.origin for each in self._waiting.values()]
        if (
            len(others) >= WAITING
            or sum(other.address == origin.address for other in others) >= WAITING_OF_ADDRESS
            or sum(other.user == origin.user for other in others) >= WAITING_OF_USER
        ):
            raise LoginsLimitedError(len(others) * _SECONDS_PER_LOGIN)
