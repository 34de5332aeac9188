"""What profiles are made of: a layer around the application, a whole response to change, and a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode

import polars as pl
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What makes answers partial, compressed or empty, so that there would be nothing to change.
UNWANTED = frozenset({b"accept-encoding", b"if-none-match"})
# Where the scope of a request has what it came by. Only who answers to the client itself may touch it.
TRANSPORT = "movielens_api.transport"


@dataclass
class BufferedResponse:
    """A whole response.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        body: its body.
    """

    status: int
    headers: MutableHeaders
    body: bytes

    async def send(self, send: Send) -> None:
        """Send it, with the length that it has now."""
        self.headers["Content-Length"] = str(len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.raw})
        await send({"type": "http.response.body", "body": self.body})


# Changes ratings, which are in order.
Change = Callable[[pl.DataFrame], pl.DataFrame]
# Builds an application that serves the changed ratings.
Variant = Callable[[Change], ASGIApp]


class Profile:
    """An ASGI layer that passes everything on. Profiles override `read`, or one of the methods that it calls.

    Args:
        app: what is below, in the end the true application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @classmethod
    def wrap(cls, app: ASGIApp, variant: Variant) -> Self:
        """Put the layer around an application.

        Args:
            app: what is below.
            variant: builds an application on other ratings, for layers that need one.
        """
        return cls(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on all but the reading of ratings."""
        is_read = scope["type"] == "http" and scope["path"] == "/ratings" and scope["method"] == "GET"
        await (self.read if is_read else self.app)(scope, receive, send)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond `GET /ratings`."""
        response = await self.ask(scope)
        if response.status == 200:  # noqa: PLR2004 - OK
            self.change(response)
        await response.send(send)

    def change(self, response: BufferedResponse) -> None:
        """Change a response with ratings."""

    async def ask(self, scope: Scope) -> BufferedResponse:
        """Return the whole response from below, without compression, whether or not the client is still there."""
        headers = [(name, value) for name, value in scope["headers"] if name not in UNWANTED]
        below = {name: value for name, value in scope.items() if name != TRANSPORT} | {"headers": headers}
        response = BufferedResponse(0, MutableHeaders(), b"")

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status, response.headers = message["status"], MutableHeaders(raw=list(message["headers"]))
            else:
                response.body += message.get("body", b"")

        await self.app(below, _nothing_more, take)
        return response


async def _nothing_more() -> Message:
    forever: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await forever


def query(scope: Scope) -> dict[str, str]:
    """Return the parameters of a request."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def with_query(scope: Scope, parameters: dict[str, str]) -> Scope:
    """Return the request with other parameters."""
    return {**scope, "query_string": urlencode(parameters).encode()}


def header(scope: Scope, name: str) -> str:
    """Return a header of a request, empty if it has none."""
    return Headers(scope=scope).get(name, "")


async def wait_for_disconnect(receive: Receive, seconds: float) -> bool:
    """Wait, and tell whether the client has gone meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
