"""Profiles whose answers are complete HTTP, and still cannot be used."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from movielens_api.hostile.middleware import Answer, Layer
from movielens_api.hostile.turns import EveryOther

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PAGE = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
BOMB_BYTES = 1 << 24
BOMBS = 256
HEADER_BYTES = 256 * 1024


class Truncated(EveryOther):
    """The first of every two responses for a page is cut in half, with a matching Content-Length."""

    def change(self, answer: Answer) -> None:
        """Cut it."""
        answer.body = answer.body[: len(answer.body) // 2]


class HtmlPage(EveryOther):
    """The first of every two responses for a page is an HTML page with status 200."""

    def change(self, answer: Answer) -> None:
        """Put the page in its place."""
        page = HTMLResponse(PAGE)
        answer.headers, answer.body = page.headers, bytes(page.body)


class WrongContentType(Layer):
    """All responses have the Content-Type text/plain."""

    def change(self, answer: Answer) -> None:
        """Claim it."""
        answer.headers["Content-Type"] = "text/plain; charset=utf-8"


class HugeHeader(Layer):
    """All responses have a header of 256 KiB."""

    def change(self, answer: Answer) -> None:
        """Add it."""
        answer.headers["X-Padding"] = "x" * HEADER_BYTES


class GzipBomb(Layer):
    """All responses are 4 MiB of gzip that decompress to 4 GiB of spaces."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, if there would be an answer."""
        answer = await self.ask(scope)
        if answer.status != 200:  # noqa: PLR2004 - OK
            await answer.send(send)
            return
        del answer.headers["Content-Length"]
        answer.headers["Content-Encoding"] = "gzip"
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers.raw})
        # A gzip file may consist of several (RFC 1952, section 2.2).
        part = gzip.compress(b" " * BOMB_BYTES)
        for _ in range(BOMBS):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
