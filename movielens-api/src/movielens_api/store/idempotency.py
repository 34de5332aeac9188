"""Answers to requests with an `Idempotency-Key`, kept a day: a request sent again gets the one it got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.system.days import SECONDS_PER_DAY

if TYPE_CHECKING:
    import sqlite3

SECONDS_KEPT = SECONDS_PER_DAY


@dataclass(frozen=True)
class IdempotencyKey:
    """What makes a request the same request.

    Attributes:
        user: who sent it.
        key: its `Idempotency-Key`.
        fingerprint: what only the same content has.
    """

    user: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True)
class PostResult:
    """The answer to a post.

    Attributes:
        rows: how many ratings were accepted.
        version: a version that contains them.
        is_replayed: whether an earlier request did this, and this one nothing.
    """

    rows: int
    version: int
    is_replayed: bool = False


class KeyReusedError(ValueError):
    """The same user sent the same key with other content."""


def find_result(connection: sqlite3.Connection, key: IdempotencyKey) -> PostResult | None:
    """Return the answer that a request got before, if it was.

    Raises:
        KeyReusedError: the key came with other content.
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


def save_result(connection: sqlite3.Connection, key: IdempotencyKey, answer: PostResult, now: int) -> None:
    """Keep an answer for a day from now, in Unix seconds, and forget those kept for longer."""
    connection.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        (key.user, key.key, key.fingerprint, answer.rows, answer.version, now),
    )
    connection.execute("DELETE FROM answers WHERE answered < ?", (now - SECONDS_KEPT,))
