"""Profiles that send unusable bodies, and profiles whose faults are below HTTP."""

from __future__ import annotations

import gzip
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import HTMLResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from movielens_api.hostile.profile import TRANSPORT, BufferedResponse, EveryOther, Profile, wait_for_disconnect
from movielens_api.server.connection import Connection

if TYPE_CHECKING:
    from asyncio import Transport

    from starlette.types import ASGIApp, Receive, Scope, Send


PAGE = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
BOMB_BYTES = 1 << 24
BOMBS = 256
_HEADER_BYTES = 256 * 1024
LONG_SECONDS = 60
_DRIP_SECONDS = 0.1
_DRIPS = 600
# Written data should arrive before the reset.
_SECONDS_BEFORE_RESET = 0.2
# Linger is on, with no time for unsent data.
_NO_LINGERING = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Truncated(EveryOther):
    """The first of every two responses for a page is cut in half, with a matching Content-Length."""

    def change(self, response: BufferedResponse) -> None:
        """Cut it."""
        response.body = response.body[: len(response.body) // 2]


class HtmlPage(EveryOther):
    """The first of every two responses for a page is an HTML page with status 200."""

    def change(self, response: BufferedResponse) -> None:
        """Put the page in its place."""
        page = HTMLResponse(PAGE)
        response.headers, response.body = page.headers, bytes(page.body)


class WrongContentType(Profile):
    """All responses have the Content-Type text/plain."""

    def change(self, response: BufferedResponse) -> None:
        """Claim it."""
        response.headers["Content-Type"] = "text/plain; charset=utf-8"


class HugeHeader(Profile):
    """All responses have a header of 256 KiB."""

    def change(self, response: BufferedResponse) -> None:
        """Add it."""
        response.headers["X-Padding"] = "x" * _HEADER_BYTES


class GzipBomb(Profile):
    """All responses are 4 MiB of gzip that decompress to 4 GiB of spaces."""

    def __init__(self, app: ASGIApp, part_bytes: int = BOMB_BYTES) -> None:
        super().__init__(app)
        self._part_bytes = part_bytes

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless there is an error."""
        response = await self.ask(scope)
        if response.status != 200:  # noqa: PLR2004 - OK
            await response.send(send)
            return
        del response.headers["Content-Length"]
        response.headers["Content-Encoding"] = "gzip"
        await send({"type": "http.response.start", "status": 200, "headers": response.headers.raw})
        # A gzip file may consist of several (RFC 1952, section 2.2).
        part = gzip.compress(b" " * self._part_bytes)
        for _ in range(BOMBS):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})


class HostileConnection(Connection):
    """A connection whose transport profiles can access."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[TRANSPORT] = self.transport


class Wire(EveryOther):
    """A layer that misbehaves only if it responds to the client itself."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Misbehave, or pass the request on."""
        await (super().read if TRANSPORT in scope else self.app)(scope, receive, send)


class NoAnswer(Wire):
    """The first of every two requests for a page gets no response for a minute."""

    def __init__(self, app: ASGIApp, seconds: float = LONG_SECONDS) -> None:
        super().__init__(app)
        self._seconds = seconds

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait."""
        if not await wait_for_disconnect(receive, self._seconds):
            await self.app(scope, receive, send)


class SlowBody(Wire):
    """The first of every two responses for a page starts with one byte every tenth of a second, for a minute."""

    def __init__(self, app: ASGIApp, seconds: float = _DRIP_SECONDS, drips: int = _DRIPS) -> None:
        super().__init__(app)
        self._seconds = seconds
        self._drips = drips

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, single bytes, and the rest."""
        response = await self.ask(scope)
        response.headers["Content-Length"] = str(len(response.body))
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers.raw})
        for place in range(min(self._drips, len(response.body))):
            await send({"type": "http.response.body", "body": response.body[place : place + 1], "more_body": True})
            if await wait_for_disconnect(receive, self._seconds):
                return
        await send({"type": "http.response.body", "body": response.body[self._drips :]})


class SlowHeaders(Wire):
    """The headers of the first of every two responses for a page arrive with one byte every tenth of a second."""

    def __init__(self, app: ASGIApp, seconds: float = _DRIP_SECONDS) -> None:
        super().__init__(app)
        self._seconds = seconds

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write single bytes, then the body, directly to the transport."""
        transport, response = _transport(scope), await self.ask(scope)
        head = _head(response)
        for place in range(len(head)):
            _write(transport, head[place : place + 1])
            if await wait_for_disconnect(receive, self._seconds):
                return
        _write(transport, response.body)
        await _close(transport, receive)


class CutShort(Wire):
    """The first of every two responses for a page ends after half of its Content-Length."""

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write half of the body, and close the connection."""
        transport, response = _transport(scope), await self.ask(scope)
        _write(transport, _head(response) + response.body[: len(response.body) // 2])
        await _close(transport, receive)


class Reset(Wire):
    """The connection is reset in the middle of the first of every two responses for a page."""

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write half of the body, and reset the connection."""
        transport, response = _transport(scope), await self.ask(scope)
        _write(transport, _head(response) + response.body[: len(response.body) // 2])
        if await wait_for_disconnect(receive, _SECONDS_BEFORE_RESET):
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        transport.abort()
        await wait_for_disconnect(receive, LONG_SECONDS)


def _transport(scope: Scope) -> Transport:
    return cast("Transport", scope[TRANSPORT])


def _head(response: BufferedResponse) -> bytes:
    response.headers["Content-Length"] = str(len(response.body))
    lines = b"".join(b"%b: %b\r\n" % line for line in response.headers.raw)
    return b"%bconnection: close\r\n%b\r\n" % (STATUS_LINE[response.status], lines)


def _write(transport: Transport, data: bytes) -> None:
    # The end of a connection is noticed only after a moment.
    if not transport.is_closing():
        transport.write(data)


async def _close(transport: Transport, receive: Receive) -> None:
    transport.close()
    # If this returned while the connection is open, the server would report its own failure.
    await wait_for_disconnect(receive, LONG_SECONDS)
