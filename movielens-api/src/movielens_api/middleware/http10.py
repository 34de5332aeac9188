"""Responses for HTTP/1.0 clients, which do not know chunks: with a length, so that a cut response is noticed."""

from __future__ import annotations

import logging
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from movielens_api.http import problems
from movielens_api.http.file_space import NOT_WRITTEN, RETRY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of each client that reads slowly.
_MEMORY_BYTES = _PIECE_BYTES = 256 * 1024

log = logging.getLogger(__name__)


class _NotWrittenError(Exception):
    """The temporary file cannot be written. Nothing of the response was sent."""


class Http10Middleware:
    """Middleware that buffers a streamed response to HTTP/1.0 in a temporary file, to send it with a Content-Length.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond as the client's version of HTTP allows, or with 503 if the disk is full."""
        if scope["type"] != "http" or scope["http_version"] == "1.1" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        with SpooledTemporaryFile(_MEMORY_BYTES) as body:
            try:
                await self.app(scope, receive, _spooling(body, send))
            except _NotWrittenError as error:
                log.warning("a temporary file cannot be written: %s", error)
                await problems.respond(scope["path"], 503, NOT_WRITTEN, headers=RETRY)(scope, receive, send)


def _spooling(body: IO[bytes], send: Send) -> Send:
    start: Message | None = None

    # In threads, because the disk may be slow.
    async def spool(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and not _has_length(message):
            start = message
        elif start is None:
            await send(message)
        else:
            try:
                await run_in_threadpool(body.write, message.get("body", b""))
            except OSError as error:
                raise _NotWrittenError(error) from error
            if not message.get("more_body", False):
                await send({**start, "headers": [*start["headers"], (b"content-length", b"%d" % body.tell())]})
                body.seek(0)
                while piece := await run_in_threadpool(body.read, _PIECE_BYTES):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body"})

    return spool


def _has_length(start: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in start["headers"])
