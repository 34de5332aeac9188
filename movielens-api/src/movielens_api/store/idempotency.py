"""Results of requests with an ``Idempotency-Key``, kept for a day: a repeated request gets the same result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.system.days import SECONDS_PER_DAY

if TYPE_CHECKING:
    import sqlite3

_SECONDS_KEPT = SECONDS_PER_DAY
# With the longest keys, they take about 75 MB.
MAX_KEYS = 100_000
SECONDS_BETWEEN_COUNTS = 60


@dataclass(frozen=True)
class IdempotencyKey:
    """What identifies a request.

    Attributes:
        user: The user who sent it.
        key: The value of ``Idempotency-Key``.
        fingerprint: A digest of the content.
    """

    user: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True)
class PostResult:
    """The result of a post.

    Attributes:
        rows: The number of accepted ratings.
        version: A version that contains them.
        is_replayed: Whether an earlier request with the same key added them.
    """

    rows: int
    version: int
    is_replayed: bool = False


class KeyReusedError(ValueError):
    """The same user sent the same key with other content."""


class TooManyKeysError(Exception):
    """The user has as many keys as are kept."""


def find_result(connection: sqlite3.Connection, key: IdempotencyKey) -> PostResult | None:
    """Return the result of an earlier request with the same key, or None if there was none.

    Raises:
        KeyReusedError: The key was used with other content.
    """
    found = connection.execute(
        "SELECT fingerprint, accepted, version FROM answers WHERE user = ? AND key = ?", (key.user, key.key)
    ).fetchone()
    if found is None:
        return None
    fingerprint, rows, version = found
    if fingerprint != key.fingerprint:
        raise KeyReusedError(key.key)
    return PostResult(rows, version, is_replayed=True)


class KeyQuota:
    """A limit on the keys of each user, so that nobody fills the disk.

    A process counts the keys in the database once a minute, and its own in between. Several processes may therefore
    exceed the limit by what they accept within a minute.

    Args:
        limit: How many keys of a user are kept at the same time.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self._limit = limit
        self._counts: dict[str, tuple[int, int]] = {}

    def take(self, connection: sqlite3.Connection, user: str, now: int) -> None:
        """Count one more key.

        Raises:
            TooManyKeysError: The user has as many keys as are kept.
        """
        counted, number = self._counts.get(user, (0, 0))
        if not 0 <= now - counted < SECONDS_BETWEEN_COUNTS:
            [number] = connection.execute("SELECT count(*) FROM answers WHERE user = ?", (user,)).fetchone()
            counted = now
        self._counts[user] = counted, number
        if number >= self._limit:
            raise TooManyKeysError(user)
        self._counts[user] = counted, number + 1


def save_result(connection: sqlite3.Connection, key: IdempotencyKey, result: PostResult, now: int) -> None:
    """Keep a result for a day from ``now`` (Unix seconds)."""
    connection.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        (key.user, key.key, key.fingerprint, result.rows, result.version, now),
    )


def bring_back(connection: sqlite3.Connection, now: int) -> None:
    """Keep results from the future for a day: they were saved while the clock of the computer was wrong."""
    connection.execute("UPDATE answers SET answered = ? WHERE answered > ?", (now, now))


def delete_expired(connection: sqlite3.Connection, now: int) -> bool:
    """Delete the results that are older than a day, and return whether there were any."""
    return connection.execute("DELETE FROM answers WHERE answered < ?", (now - _SECONDS_KEPT,)).rowcount > 0
