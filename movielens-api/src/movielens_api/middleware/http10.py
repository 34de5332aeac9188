"""Responses for HTTP/1.0 clients, which do not know chunks: with a length, so that a cut response is noticed."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MEMORY_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 256 * 1024


class Http10Middleware:
    """Middleware that buffers a streamed response to HTTP/1.0 in a temporary file, to send it with a Content-Length.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond as the client's version of HTTP allows."""
        if scope["type"] != "http" or scope["http_version"] == "1.1" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        with SpooledTemporaryFile(_MEMORY_BYTES) as body:
            await self.app(scope, receive, _spooling(body, send))


def _spooling(body: IO[bytes], send: Send) -> Send:
    start: Message | None = None

    async def spool(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and not _has_length(message):
            start = message
        elif start is None:
            await send(message)
        else:
            body.write(message.get("body", b""))
            if not message.get("more_body", False):
                await send({**start, "headers": [*start["headers"], (b"content-length", b"%d" % body.tell())]})
                for piece in _pieces(body):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body"})

    return spool


def _has_length(start: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in start["headers"])


def _pieces(body: IO[bytes]) -> Iterator[bytes]:
    body.seek(0)
    while piece := body.read(_PIECE_BYTES):
        yield piece
