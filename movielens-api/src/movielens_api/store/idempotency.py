"""Results of requests with an ``Idempotency-Key``, kept for a day: a repeated request gets the same result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.system.days import SECONDS_PER_DAY

if TYPE_CHECKING:
    import sqlite3

_SECONDS_KEPT = SECONDS_PER_DAY


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


def save_result(connection: sqlite3.Connection, key: IdempotencyKey, result: PostResult, now: int) -> None:
    """Keep a result for a day from ``now`` (Unix seconds), and delete older ones."""
    connection.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        (key.user, key.key, key.fingerprint, result.rows, result.version, now),
    )
    connection.execute("DELETE FROM answers WHERE answered < ?", (now - _SECONDS_KEPT,))
