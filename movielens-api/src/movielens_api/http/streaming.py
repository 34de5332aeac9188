"""Streamed responses whose production stops when the client leaves or the server shuts down."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar
from fastapi import HTTPException
from starlette.responses import StreamingResponse

from movielens_api.http.file_space import NOT_WRITTEN, RETRY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from movielens_api.formats import Chunks

# A client that reads slowly keeps a piece of this size in memory in addition to a chunk.
_PIECE_BYTES = 1 << 18
# How many chunks are produced at once. More would not be faster, and keep the event loop from running.
CHUNKS_AT_ONCE = 8
# How many files, which are complete before their first byte is sent, are written at once. Others wait for their turn,
# so that they leave threads for all other responses.
FILES_AT_ONCE = 4
_SECONDS_WITHOUT_READING = 1
_limiters: RunVar[dict[int, CapacityLimiter]] = RunVar("chunks and files at once")
Item = TypeVar("Item")

log = logging.getLogger(__name__)


class StoppedError(Exception):
    """Nobody waits for the response any more."""


class Stop:
    """Stops the production of a response, which runs in another thread."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Stop at the next item."""
        self._is_set = True

    def is_set(self) -> bool:
        """Return whether the production is to stop."""
        return self._is_set

    def guard(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items until it is stopped.

        Raises:
            StoppedError: It is stopped.
        """
        for item in items:
            if self.is_set():
                raise StoppedError
            yield item


class RowStream(StreamingResponse):
    """A response that is produced in threads while it is sent.

    Args:
        produce: Returns the body in chunks. Everything that takes long is guarded by the given ``Stop``, also within a
            chunk.
        headers: The headers of the response.
        file: If the first chunk takes as long as all rows take, because they are written to a file first: the space
            that this file takes.
    """

    def __init__(
        self,
        produce: Callable[[Stop], Chunks],
        headers: Mapping[str, str],
        *,
        file: AbstractContextManager[None] | None = None,
    ) -> None:
        self._stop = Stop()
        self._file = file
        self._chunks = _closeable(produce(self._stop))
        super().__init__(_in_threads(self._chunks, FILES_AT_ONCE if file else CHUNKS_AT_ONCE), headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, then release what producing it needed, such as a temporary file."""
        with self._file or nullcontext():
            try:
                await super().__call__(scope, receive, send)
            finally:
                # In a thread that is still running, it ends at the next item.
                with suppress(ValueError):
                    self._chunks.close()

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Wait until the client leaves, or until this is cancelled because the server shuts down; then stop."""
        # A thread cannot be cancelled: without this, the response would end only when the thread has produced a chunk.
        try:
            is_there = True
            while is_there:
                # The server pauses reading when the client sends another request. The next call resumes it.
                with move_on_after(_SECONDS_WITHOUT_READING):
                    await super().listen_for_disconnect(receive)
                    is_there = False
        finally:
            self._stop.set()

    async def stream_response(self, send: Send) -> None:
        """Send the response. If it is stopped, it is cut off, and no client mistakes it for a complete one.

        Raises:
            HTTPException: 503: the file cannot be written, so nothing was sent.
        """
        try:
            if self._file:
                self.body_iterator = await self._begun()
            await super().stream_response(send)
        except Exception:
            # Libraries wrap what `guard` raises.
            if not self._stop.is_set():
                raise

    async def _begun(self) -> AsyncIterator[bytes | memoryview]:
        """Wait for the first piece, before which nothing is sent."""
        pieces = aiter(self.body_iterator)
        try:
            first = await anext(pieces, None)
        except OSError as error:
            log.warning("a temporary file cannot be written: %s", error)
            raise HTTPException(503, NOT_WRITTEN, headers=RETRY) from error
        return _chained(first, pieces)


def _closeable(chunks: Chunks) -> Generator[bytes | memoryview, None, None]:
    yield from chunks


async def _chained(first: Any, pieces: AsyncIterator[Any]) -> AsyncIterator[bytes | memoryview]:
    if first is not None:
        yield first
    async for piece in pieces:
        yield piece


async def _in_threads(chunks: Chunks, at_once: int) -> AsyncIterator[bytes | memoryview]:
    limiter = _limiter(at_once)
    while (chunk := await to_thread.run_sync(next, chunks, None, limiter=limiter)) is not None:
        whole = memoryview(chunk)
        for place in range(0, len(whole), _PIECE_BYTES):
            yield whole[place : place + _PIECE_BYTES]


def _limiter(at_once: int) -> CapacityLimiter:
    try:
        limiters = _limiters.get()
    except LookupError:
        _limiters.set(limiters := {})
    return limiters.setdefault(at_once, CapacityLimiter(at_once))
