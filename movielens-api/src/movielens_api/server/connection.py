"""A connection with limits on the size of headers and on time, which uvicorn's own connection lacks."""

from __future__ import annotations

import logging
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from movielens_api.http import problems
from movielens_api.middleware.ambiguity import TARGET
from movielens_api.middleware.request_limits import CROWDED, Limits
from movielens_api.server.framing import FramedProtocol

if TYPE_CHECKING:
    from asyncio import BaseTransport, TimerHandle, Transport
    from collections.abc import Callable

_LINGER_SECONDS = 1
_BYTES_AROUND_A_HEADER = 4

log = logging.getLogger(__name__)
_INTERIM = b"HTTP/1.1 1"


class Stage(Enum):
    """The part of a request that is arriving."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class HeadTooLargeError(Exception):
    """An error that stops the parser."""


class Connection(FramedProtocol):
    """A connection that enforces limits.

    Args:
        limits: The limits to enforce.
        arguments: The arguments of uvicorn's protocol.

    Attributes:
        is_crowded: Whether there are too many connections, so that only health checks are responded to.
    """

    is_crowded = False

    def __init__(self, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._stage = self._timed = Stage.NOTHING
        self._head_bytes = 0
        self._unparsed_bytes = 0
        self._is_over = False
        self._is_last = self._is_lost = False
        self._unfinished: deque[RequestResponseCycle] = deque()
        self._arriving: TimerHandle | None = None
        self._leaving: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Start to wait for the head of the first request."""
        super().connection_made(cast("Transport", transport))
        self._idle_since = time.monotonic()
        self._time(Stage.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers, and stop what is computed for the client."""
        self._is_lost = True
        self._time(Stage.NOTHING)
        self._watch_leaving(None)
        # uvicorn tells this only to the last of several requests.
        for cycle in self._unfinished:
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, unless it exceeds the limits."""
        if self._is_over or self._is_after_last or self.transport.is_closing():
            return
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > self._limits.head_bytes:
            # An endless field, or data around the chunks of a body where nothing is allowed.
            self._refuse_head()
        elif self._stage is not self._timed and not self._is_over:
            self._time(self._stage)

    # Called by the admission of other connections
    @property
    def host(self) -> str | None:
        """The address of the client."""
        return self.client[0] if self.client else None

    @property
    def idle_since(self) -> float | None:
        """When the last response was complete, or the connection was made; None while it is busy or closed."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self.transport.is_closing() or self.transport.get_write_buffer_size():
            return None
        return self._idle_since

    def disconnect(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    @property
    def _is_after_last(self) -> bool:
        # No request follows one with `Connection: close` (RFC 9112, section 9.6).
        return self._stage is Stage.NOTHING and self.cycle is not None and not self.cycle.keep_alive

    # Called by the parser
    def on_message_begin(self) -> None:
        """Start a request."""
        self._stage = Stage.HEAD
        self._head_bytes = self._unparsed_bytes = 0
        super().on_message_begin()
        if self.is_crowded:
            cast("dict[str, Any]", self.scope)[CROWDED] = True

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers are dropped: nothing here needs them, and uvicorn would mix them with the headers."""
        self._count(len(name) + len(value) + _BYTES_AROUND_A_HEADER)
        if self._stage is Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to respond, unless the connection is being closed."""
        self._stage = Stage.BODY
        if self.transport.is_closing():
            return
        self._unparsed_bytes = 0
        cast("dict[str, Any]", self.scope)[TARGET] = self.url
        # HTTP/1.0 has no interim responses.
        self.expect_100_continue = self.expect_100_continue and self.parser.get_http_version() == "1.1"
        super().on_headers_complete()
        # A response to HEAD is only a head, for which there is nothing to wait.
        kind = OpenTransport if self.scope["method"] == "HEAD" else CoalescingTransport
        self.cycle.transport = cast("Transport", kind(self.transport, self._close))
        self._unfinished.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Finish a request."""
        if self.is_body_next:
            return
        self._stage = Stage.NOTHING
        self._unparsed_bytes = 0
        super().on_message_complete()
        if self._is_last:
            self._end()

    def _count(self, size: int) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            raise HeadTooLargeError

    # Called by uvicorn
    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed."""
        if self._is_after_last:
            return
        if self._head_bytes > self._limits.head_bytes:
            self._refuse_head()
        else:
            self._refuse(400, msg)

    def on_response_complete(self) -> None:
        """Continue with the next request, and watch whether the client reads this response."""
        self._unfinished.popleft()
        super().on_response_complete()
        self._idle_since = time.monotonic()
        if not self._is_lost:
            self._watch_leaving(self.transport.get_write_buffer_size() or None)

    def pause_writing(self) -> None:
        """Wait until the client has read some of the response."""
        super().pause_writing()
        self._watch_leaving(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Continue: the client has read most of what was written."""
        super().resume_writing()
        self._watch_leaving(None)

    def _close(self) -> None:
        # If it were closed while the body of the request arrives, it would be reset, and the client might never see the
        # response. The rest is read and dropped, as long as a body may take to arrive.
        is_arriving = self._stage is Stage.BODY and not self.pipeline and self.cycle.response_complete
        if is_arriving:
            self._is_last = True
        else:
            self._end()

    def _end(self) -> None:
        """Send no more, and close the connection once the client has closed it, or after a moment."""
        if self.transport.is_closing():
            return
        self._time(Stage.NOTHING)
        self.pipeline.clear()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def _linger(self) -> None:
        # If it were closed at once, what still arrives would reset it, and the client might never see the end of the
        # response (RFC 9112, section 9.6). It is read and dropped.
        self._is_over = True
        self.loop.call_later(_LINGER_SECONDS, self._close_once)

    def _close_once(self) -> None:
        # A TLS transport of asyncio cannot be used after a second time.
        if not self.transport.is_closing():
            self.transport.close()

    # Timeouts
    def _time(self, stage: Stage) -> None:
        self._timed = stage
        if self._arriving:
            self._arriving.cancel()
            self._arriving = None
        if stage is not Stage.NOTHING:
            seconds = self._limits.head_seconds if stage is Stage.HEAD else self._limits.body_seconds
            self._arriving = self.loop.call_later(seconds, self._arrives_late)

    def _arrives_late(self) -> None:
        if self.flow.read_paused:
            # The server itself has paused reading.
            self._time(self._timed)
        elif self._stage is Stage.NOTHING:
            self.transport.close()
        else:
            self._refuse(408, "The request took too long to arrive.")

    def _watch_leaving(self, unsent: int | None) -> None:
        if self._leaving:
            self._leaving.cancel()
            self._leaving = None
        if unsent is not None:
            self._leaving = self.loop.call_later(self._limits.stalled_seconds, self._leaves_late, unsent)

    def _leaves_late(self, unsent: int) -> None:
        still = self.transport.get_write_buffer_size()
        if 0 < unsent <= still:
            self.transport.abort()
        else:
            self._watch_leaving(still or None)

    # Refusals below the application
    def _refuse_head(self) -> None:
        max_bytes = self._limits.head_bytes
        self._refuse(431, f"Request line and headers may have at most {max_bytes:,} bytes together.")

    def _refuse(self, status: int, detail: str) -> None:
        if self.transport.is_closing():
            return
        log.warning("refused a request of %s with %d: %s", self.client, status, detail)
        self._time(Stage.NOTHING)
        if self._may_respond():
            if self.cycle:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.write(_refusal(status, detail))
        self._linger()

    def _may_respond(self) -> bool:
        if self.cycle is None:
            return True
        # The cycle belongs to this request once its head is complete. Before, it belongs to the previous one.
        is_free = not self.cycle.response_started if self._stage is Stage.BODY else self.cycle.response_complete
        return is_free and not self.pipeline


def _refusal(status: int, detail: str) -> bytes:
    response = problems.respond("", status, detail, headers={"Connection": "close"})
    head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"%b%b\r\n%b" % (STATUS_LINE[status], head, bytes(response.body))


class OpenTransport:
    """A transport for one response, which drops what is written after the connection was closed.

    A closed transport would raise an error or log a warning, depending on the event loop, although only the client has
    left.

    Args:
        transport: The transport of the connection.
        close: Closes the connection.
    """

    __slots__ = ("_close", "_transport", "is_closing")

    def __init__(self, transport: Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self.is_closing = transport.is_closing

    def write(self, data: bytes | memoryview) -> None:
        """Write data."""
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection."""
        self._close()


class CoalescingTransport(OpenTransport):
    """A transport for one response, which sends the head together with the first part of the body."""

    __slots__ = ("_head",)

    def __init__(self, transport: Transport, close: Callable[[], None]) -> None:
        super().__init__(transport, close)
        self._head: bytes | None = b""

    def write(self, data: bytes | memoryview) -> None:
        """Hold back the first write, which is the head, until the second one. Pass on all others."""
        if self.is_closing():
            return
        if self._head is None or (isinstance(data, bytes) and data.startswith(_INTERIM)):
            self._transport.write(data)
        elif not self._head:
            self._head = bytes(data)
        else:
            # Not concatenated, which would copy a body of a megabyte.
            self._transport.writelines((self._head, data))
            self._head = None

    def close(self) -> None:
        """Write the held data, then close the connection."""
        if self._head:
            super().write(self._head)
        super().close()
