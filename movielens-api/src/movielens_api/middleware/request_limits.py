"""How much a client may send, and how long it may take: the limits, and the layer that holds to those of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException

from movielens_api.http import problems
from movielens_api.routes.read_route import READING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where a connection notes in the scope of its requests that it is one too many.
CROWDED = "movielens_api.crowded"


@dataclass(frozen=True)
class Limits:
    """What one server process bears.

    Attributes:
        head_bytes: the size of request line and headers; more is 431.
        head_seconds: how long they may take to arrive; longer is 408.
        body_bytes: the size of a body; more is 413.
        body_seconds: how long it may take to arrive; longer is 408.
        idle_seconds: how long a connection is kept between requests.
        stalled_seconds: how long a client may take nothing of an answer before it is cut off.
        connections: how many there may be at once; a request on a further one is 503.
        finish_seconds: how long answers under way may take when the server is told to stop.
    """

    head_bytes: int = 16 * 1024
    head_seconds: float = 10
    body_bytes: int = 4 * 1024 * 1024
    body_seconds: float = 30
    idle_seconds: int = 30
    stalled_seconds: float = 60
    connections: int = 500
    finish_seconds: int = 10


class RequestLimitsMiddleware:
    """An ASGI layer: bodies that are too large are 413, requests on connections too many 503.

    What is left of a refused body is read and dropped: closed at once, the connection would be reset, and the
    client might never see why.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._most = limits.body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what keeps to the limits."""
        if CROWDED in scope:
            headers = {"Retry-After": "1", "Connection": "close"}
            refusal = problems.respond(scope["path"], 503, "The server has too many connections.", headers=headers)
            await refusal(scope, receive, send)
        elif scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
        elif _declared(scope) > self._most:
            await problems.respond(scope["path"], 413, self._detail())(scope, receive, send)
        else:
            await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise HTTPException(413, self._detail())
            return message

        return count

    def _detail(self) -> str:
        return f"A body has at most {self._most:,} bytes. Send it in several requests."


def _declared(scope: Scope) -> int:
    # The parser has let only digits pass.
    return int(next((value for name, value in scope["headers"] if name == b"content-length"), 0))
