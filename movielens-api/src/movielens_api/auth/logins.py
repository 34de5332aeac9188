"""Logins: the user who belongs to an ``Authorization`` header. A password is hashed once and then remembered."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import TYPE_CHECKING

from movielens_api.auth import passwords
from movielens_api.auth.credentials import DEFAULT, Credentials, Identity, implied_roles, parse_basic, parse_bearer
from movielens_api.auth.login_queue import LoginQueue, LoginsLimitedError
from movielens_api.auth.login_throttle import LoginThrottle
from movielens_api.auth.users_file import Users

if TYPE_CHECKING:
    from collections.abc import Callable

    from movielens_api.auth.users_file import UsersFile


class Logins:
    """The identification of users by their credentials.

    A successful login is remembered under an HMAC of user and password with a key of this process, until this user
    changes. A user has one password, so there are hardly more of them than users. Failed logins are not remembered:
    each guess costs a hash, and fills no memory.

    Args:
        credentials: The user of the environment, or None. The default user is accepted only if there is no other user.
        users: The other users.
        throttle: How often a login may fail.
        verify: Returns whether a password matches a stored hash. It is slow.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        users: UsersFile | None = None,
        throttle: LoginThrottle | None = None,
        verify: Callable[[bytes, str], bool] = passwords.verify,
    ) -> None:
        self._credentials = credentials
        self._file = users
        self._throttle = throttle or LoginThrottle()
        self._verify = verify
        self._users = users.current() if users else Users()
        self._remembered: dict[bytes, Identity] = {}
        self._key = secrets.token_bytes(32)
        self._decoy = passwords.decoy_hash()
        self._queue = LoginQueue()

    async def identify(self, header: bytes, address: str) -> Identity | None:
        """Return the user who sent a header, or None if it is not valid.

        Args:
            header: The value of ``Authorization``.
            address: The address of the client.

        Raises:
            LoginsLimitedError: Too many logins failed with this user or from this address, or too many are in progress.
        """
        self._refresh()
        token = parse_bearer(header)
        if token is not None:
            return self._users.find_by_token(token)
        sent = parse_basic(header)
        if sent is None:
            return None
        key = hmac.digest(self._key, b":".join(sent), "sha256")
        return self._remembered.get(key) or await self._log_in(key, *sent, address)

    def _refresh(self) -> None:
        users = self._file.current() if self._file else self._users
        if users is not self._users:
            before, self._users = self._users, users
            kept = (each for each in self._remembered.items() if self._is_unchanged(before, each[1].name))
            self._remembered = dict(kept)

    def _is_unchanged(self, before: Users, name: str) -> bool:
        if self._credentials == DEFAULT and bool(before.users) != bool(self._users.users):
            # The default user comes or goes.
            return False
        was, now = before.users.get(name), self._users.users.get(name)
        return (was and (was.role, was.password)) == (now and (now.role, now.password))

    async def _log_in(self, key: bytes, user: bytes, password: bytes, address: str) -> Identity | None:
        self._limit(user, address)
        async with self._queue.turn(key, self._throttle.origin(user, address)):
            # Meanwhile, the same login may have succeeded, or others failed.
            return self._remembered.get(key) or await self._try(key, user, password, address)

    async def _try(self, key: bytes, user: bytes, password: bytes, address: str) -> Identity | None:
        self._limit(user, address)
        self._refresh()
        users = self._users
        found = await self._check(users, user, password)
        if found is None:
            self._throttle.record_failure(user, address)
            return None
        self._refresh()
        if users is not self._users:  # the user may have been removed meanwhile
            return await self._try(key, user, password, address)
        self._throttle.record_success(user, address)
        self._remembered[key] = found
        return found

    async def _check(self, users: Users, user: bytes, password: bytes) -> Identity | None:
        own = self._credentials
        has_others = bool(users.users) or bool(self._file and self._file.is_lost)
        if own and not (own == DEFAULT and has_others) and own.match(user, password):
            return Identity(own.user, implied_roles("write"))
        if not users.users:
            return None
        name = user.decode(errors="replace")
        known = users.users.get(name)
        stored = known.password if known else self._decoy
        right = await asyncio.to_thread(self._verify, password, stored)
        return Identity(name, implied_roles(known.role)) if known and right else None

    def _limit(self, user: bytes, address: str) -> None:
        seconds = self._throttle.wait(user, address)
        if seconds:
            raise LoginsLimitedError(seconds)
