"""Streamed responses whose production stops when the client leaves or the server shuts down."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from movielens_api.formats import Chunks

# How many files, which are complete before their first byte is sent, are written at once. Others wait for their turn,
# so that they leave threads for all other responses.
FILES_AT_ONCE = 4
_limiter: RunVar[CapacityLimiter] = RunVar("files written at once")
Item = TypeVar("Item")


class StoppedError(Exception):
    """Nobody waits for the response any more."""


class Stop:
    """Stops the production of a response, which runs in another thread."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """Stop at the next item."""
        self._event.set()

    def is_set(self) -> bool:
        """Return whether the production is to stop."""
        return self._event.is_set()

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
        is_file: Whether the first chunk takes as long as all rows take.
    """

    def __init__(self, produce: Callable[[Stop], Chunks], headers: Mapping[str, str], *, is_file: bool = False) -> None:
        self._stop = Stop()
        self._chunks = _closeable(produce(self._stop))
        super().__init__(_in_threads(self._chunks, is_file=is_file), headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, then release what producing it needed, such as a temporary file."""
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
            await super().listen_for_disconnect(receive)
        finally:
            self._stop.set()

    async def stream_response(self, send: Send) -> None:
        """Send the response. If it is stopped, it is cut off, and no client mistakes it for a complete one."""
        try:
            await super().stream_response(send)
        except Exception:
            # Libraries wrap what `guard` raises.
            if not self._stop.is_set():
                raise


def _closeable(chunks: Chunks) -> Generator[bytes | memoryview, None, None]:
    yield from chunks


async def _in_threads(chunks: Chunks, *, is_file: bool) -> AsyncIterator[bytes | memoryview]:
    limiter = _file_limiter() if is_file else None
    while (chunk := await to_thread.run_sync(next, chunks, None, limiter=limiter)) is not None:
        yield chunk


def _file_limiter() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        _limiter.set(CapacityLimiter(FILES_AT_ONCE))
        return _limiter.get()
