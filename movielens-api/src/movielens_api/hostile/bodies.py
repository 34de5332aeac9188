"""Profiles that send complete HTTP responses with unusable bodies."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from movielens_api.hostile.middleware import BufferedResponse, Profile
from movielens_api.hostile.turns import EveryOther

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PAGE = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
BOMB_BYTES = 1 << 24
BOMBS = 256
HEADER_BYTES = 256 * 1024


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
        response.headers["X-Padding"] = "x" * HEADER_BYTES


class GzipBomb(Profile):
    """All responses are 4 MiB of gzip that decompress to 4 GiB of spaces."""

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
        part = gzip.compress(b" " * BOMB_BYTES)
        for _ in range(BOMBS):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
