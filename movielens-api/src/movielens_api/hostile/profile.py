"""The base class of hostile profiles, and the requests in which a fault is due."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode

import polars as pl
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Headers that make responses compressed or empty, so that there would be nothing to change.
_UNWANTED = frozenset({b"accept-encoding", b"if-none-match"})
# The key in the scope for the connection's transport. Only a layer that responds to the client itself may use it.
TRANSPORT = "movielens_api.transport"
# Changes sorted ratings.
Change = Callable[[pl.DataFrame], pl.DataFrame]
# Builds an application that serves the changed ratings.
Variant = Callable[[Change], ASGIApp]
Address = tuple[tuple[str, str], ...]


@dataclass
class BufferedResponse:
    """A whole response.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        body: The body.
    """

    status: int
    headers: MutableHeaders
    body: bytes

    async def send(self, send: Send) -> None:
        """Send the response with its current length."""
        self.headers["Content-Length"] = str(len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.raw})
        await send({"type": "http.response.body", "body": self.body})


class Profile:
    """A layer that passes everything on. Profiles override ``read``, or one of the methods that it calls.

    Args:
        app: The application inside the layer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @classmethod
    def wrap(cls, app: ASGIApp, variant: Variant) -> Self:
        """Return the layer around an application.

        Args:
            app: The application inside the layer.
            variant: Builds an application that serves changed ratings, for profiles that need one.
        """
        return cls(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything except ``GET /ratings``."""
        is_read = scope["type"] == "http" and scope["path"] == "/ratings" and scope["method"] == "GET"
        await (self.read if is_read else self.app)(scope, receive, send)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to ``GET /ratings``."""
        response = await self.ask(scope)
        if response.status == 200:  # noqa: PLR2004 - OK
            self.change(response)
        await response.send(send)

    def change(self, response: BufferedResponse) -> None:
        """Change a response with ratings."""

    async def ask(self, scope: Scope) -> BufferedResponse:
        """Return the whole response of the application, uncompressed, whether or not the client is still connected."""
        headers = [(name, value) for name, value in scope["headers"] if name not in _UNWANTED]
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
    """Return a request with other parameters."""
    return {**scope, "query_string": urlencode(parameters).encode()}


def header(scope: Scope, name: str) -> str:
    """Return a header of a request, or an empty string."""
    return Headers(scope=scope).get(name, "")


async def wait_for_disconnect(receive: Receive, seconds: float) -> bool:
    """Wait for at most some seconds. Return whether the client disconnected meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


class Turns:
    """A counter of the requests for each address, in cycles.

    Without ``limit``, ``offset`` is ignored: a client that resumes a broken stream requests the same stream.

    Args:
        period: After how many requests the count starts again.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._requests: Counter[Address] = Counter()

    def take(self, scope: Scope) -> int:
        """Count a request. Return how many requests for this address came before it, since the count started."""
        asked = query(scope)
        if "limit" not in asked:
            asked.pop("offset", None)
        address = _address(asked)
        self._requests[address] += 1
        return (self._requests[address] - 1) % self._period


class Pulls:
    """A counter of the pages of every other pull, for faults after which a client starts over and then succeeds.

    A pull starts with a request for a first page: without a cursor, and with ``offset`` 0 or none. A repeated request
    is for the same page, and a first page requested twice in a row starts no second pull. ``limit`` 0 is no page.
    """

    def __init__(self) -> None:
        self._number = 0
        self._pages: dict[Address, int] = {}

    def take(self, scope: Scope) -> int | None:
        """Count a request. Return the number of its page in the pull, from 0, or None if no fault is due."""
        asked = query(scope)
        if asked.get("limit") == "0":
            return None
        address = _address(asked)
        if is_first_page(scope) and list(self._pages) != [address]:
            self._number += 1
            self._pages = {}
        page = self._pages.setdefault(address, len(self._pages))
        return page if self._number % 2 else None


def is_first_page(scope: Scope) -> bool:
    """Return whether a request starts a pull."""
    asked = query(scope)
    return "cursor" not in asked and asked.get("offset", "0") == "0" and asked.get("limit") != "0"


def _address(asked: dict[str, str]) -> Address:
    return tuple(sorted(asked.items()))


class EveryOther(Profile):
    """A layer that misbehaves at the first of every two requests for a page."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._turns = Turns(2)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Misbehave, or pass the request on."""
        await (self.app if self._turns.take(scope) else self.misbehave)(scope, receive, send)

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond wrongly. By default, send the changed response."""
        await super().read(scope, receive, send)
