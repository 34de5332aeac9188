"""The writer thread. It commits all waiting posts at once, so that they share one flush of the disk."""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING

from movielens_api.store import clock, database, generations, idempotency, row_log
from movielens_api.store.idempotency import IdempotencyKey, KeyQuota, KeyReusedError, PostResult, TooManyKeysError
from movielens_api.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from movielens_api.store.database import Files
    from movielens_api.store.row_log import Row

MAX_ROWS_WAITING = 100_000
_MAX_POSTS_WAITING = 10_000

log = logging.getLogger(__name__)


class OverloadedError(Exception):
    """Too many ratings wait to be written. There may be room later."""


class NotWrittenError(Exception):
    """The disk failed, or the files are gone, and nothing was written."""


@dataclass(frozen=True, eq=False)
class Post:
    """Ratings to write, all or none.

    Attributes:
        rows: The ratings.
        key: The idempotency key of the request, if any.
        result: The future result.
    """

    rows: Sequence[Row]
    key: IdempotencyKey | None
    result: Future[PostResult] = field(default_factory=Future)


class Writer:
    """A thread that writes posts in order.

    Args:
        files: The files of the store.
        publish: Called after a commit and before results are set, so that a client with a result can read its ratings.
        tidy: Called after results are set.
    """

    def __init__(self, files: Files, publish: Callable[[], object], tidy: Callable[[], object]) -> None:
        self._files = files
        self._connection = files.connect()
        self._identity = files.identity()
        self._is_in_place = True
        self._writing_lock = FileLock(files.writing)
        self._publish = publish
        self._tidy = tidy
        self._changed = Condition()
        self._posts: list[Post] = []
        self._leases: set[int] = set()
        self._keys = KeyQuota()
        self._rows_waiting = 0
        self._is_closing = False
        self._thread: Thread | None = None

    def check_in_place(self) -> None:
        """Check that what is written now will be found later: SQLite writes to its open files even if they are deleted.

        Raises:
            NotWrittenError: The files were deleted, moved or replaced. The first of several errors is logged.
        """
        was_in_place, self._is_in_place = self._is_in_place, self._files.identity() == self._identity
        if self._is_in_place:
            return
        reason = f"{self._files.database} was deleted, moved or replaced: put it back, or restart the server"
        if was_in_place:
            log.error("%s; until then, posts are refused", reason)
        raise NotWrittenError(reason)

    def post(self, rows: Sequence[Row], key: IdempotencyKey | None) -> Future[PostResult]:
        """Queue ratings to be written, all or none. The result is set when they are durable and can be read.

        Raises:
            OverloadedError: Too many ratings wait to be written.
        """
        with self._changed:
            if self._rows_waiting + len(rows) > MAX_ROWS_WAITING or len(self._posts) >= _MAX_POSTS_WAITING:
                raise OverloadedError
            post = Post(rows, key)
            self._posts.append(post)
            self._rows_waiting += len(rows)
            self._wake()
        return post.result

    def lease(self, version: int) -> None:
        """Write a lease for a version with the next commit."""
        with self._changed:
            self._leases.add(version)
            self._wake()

    def close(self) -> None:
        """Write all waiting posts and leases, and stop the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread:
            self._thread.join()
        self._connection.close()
        self._writing_lock.close()

    def _wake(self) -> None:
        if self._is_closing:
            raise OverloadedError
        if self._thread is None:
            # Started on demand, because many servers are only read.
            self._thread = Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._posts or self._leases or self._is_closing)
                posts, self._posts = self._posts, []
                versions, self._leases = self._leases, set()
                self._rows_waiting = 0
            if not posts and not versions:
                return
            self._process(posts, versions)

    def _process(self, posts: list[Post], versions: set[int]) -> None:
        try:
            with self._writing_lock:
                self.check_in_place()
                outcomes = self._commit(posts, versions)
                self.check_in_place()
        except Exception as error:  # noqa: BLE001 - no caller may wait forever
            failure = NotWrittenError(str(error)) if isinstance(error, (sqlite3.Error, OSError)) else error
            outcomes = [failure] * len(posts)
        else:
            if posts:
                self._try_to_publish()
        for post, outcome in zip(posts, outcomes, strict=True):
            # The caller may have cancelled meanwhile.
            with suppress(InvalidStateError):
                _set_result(post, outcome)
        with suppress(Exception):
            self._tidy()

    def _try_to_publish(self) -> None:
        try:
            self._publish()
        except Exception:
            # The commit is durable, and the next read sees it.
            log.exception("committed ratings could not be read yet")

    def _commit(self, posts: list[Post], versions: set[int]) -> list[PostResult | Exception]:
        with database.writing(self._connection):
            now = clock.now(self._connection)
            generations.renew_leases(self._connection, versions, now)
            has_expired = idempotency.delete_expired(self._connection, now)
            latest = row_log.newest(self._connection)
            outcomes: list[PostResult | Exception] = []
            for post in posts:
                outcome = self._write(post, latest, now)
                if isinstance(outcome, PostResult):
                    latest = max(latest, outcome.version)
                outcomes.append(outcome)
        if has_expired:
            # The posts are committed, whatever happens now.
            with suppress(sqlite3.Error):
                database.shrink(self._connection)
        return outcomes

    def _write(self, post: Post, latest: int, now: int) -> PostResult | Exception:
        if post.key:
            try:
                if found := idempotency.find_result(self._connection, post.key):
                    return found
                if post.rows:
                    self._keys.take(self._connection, post.key.user, now)
            except (KeyReusedError, TooManyKeysError) as error:
                return error
        accepted = PostResult(len(post.rows), row_log.append(self._connection, latest, post.rows, now))
        # Without ratings, there is nothing to add twice.
        if post.key and post.rows:
            idempotency.save_result(self._connection, post.key, accepted, now)
        return accepted


def _set_result(post: Post, outcome: PostResult | Exception) -> None:
    if isinstance(outcome, PostResult):
        post.result.set_result(outcome)
    else:
        post.result.set_exception(outcome)
