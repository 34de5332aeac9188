"""Where a request ends: protocol upgrades are ignored, and few requests wait on a connection.

The parser takes what follows a request with ``Upgrade`` for another protocol, also its body. Then the body would count
as the next request, so whoever writes a body could smuggle a request past a proxy.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

# Clients that send several requests at once send far fewer.
MAX_WAITING = 100
_FRAMING = {b"content-length", b"transfer-encoding"}
_CALLBACKS = ("on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body", "on_message_complete")


class TooManyWaitingError(Exception):
    """An error that stops the parser: too many requests wait for the response to an earlier one."""


class FramedProtocol(HttpToolsProtocol):
    """A connection on which the next request begins where the framing of the last one says, and few requests wait.

    Attributes:
        is_body_next: Whether the parser takes the body of this request for another protocol.
    """

    is_body_next = False

    def data_received(self, data: bytes) -> None:
        """Parse data."""
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError as error:
            is_too_many = isinstance(error.__context__, TooManyWaitingError)
            self.send_400_response(
                f"More than {MAX_WAITING} requests wait on this connection."
                if is_too_many
                else "This is not an HTTP request."
            )

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self.is_body_next:
                    self.is_body_next = False
                    self._parse_body_next()
            else:
                return

    def on_headers_complete(self) -> None:
        """Start to respond, or let the request wait for the response to the last one.

        Raises:
            TooManyWaitingError: Too many requests wait.
        """
        if len(self.pipeline) >= MAX_WAITING:
            raise TooManyWaitingError
        super().on_headers_complete()
        self.is_body_next = self.parser.should_upgrade() and any(name in _FRAMING for name, _ in self.headers)

    def on_response_complete(self) -> None:
        """Continue with the next request. Read on when none waits: uvicorn would read on after each response."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def _parse_body_next(self) -> None:
        """Take a new parser, which has read the framing of this request and nothing else of it."""
        is_open = False

        def skip_head(callback: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                nonlocal is_open
                if is_open:
                    callback(*arguments)
                is_open = is_open or callback == self.on_headers_complete

            return call

        self.parser = HttpRequestParser(
            SimpleNamespace(**{name: skip_head(getattr(self, name)) for name in _CALLBACKS})
        )
        framing = [header for header in self.headers if header[0] in _FRAMING]
        if not self.cycle.keep_alive:
            framing.append((b"connection", b"close"))
        lines = b"".join(b"%b: %b\r\n" % line for line in framing)
        self.parser.feed_data(b"POST / HTTP/%b\r\n%b\r\n" % (self.scope["http_version"].encode(), lines))
