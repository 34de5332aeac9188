"""Limits on the size and duration of requests, and the middleware that enforces those of bodies and connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException

from movielens_api.http import problems
from movielens_api.http.read_route import READING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The key in the scope of requests on a connection that exceeds the limit.
CROWDED = "movielens_api.crowded"
_HEALTH_CHECKS = {"/healthz", "/readyz"}


@dataclass(frozen=True)
class Limits:
    """The limits of a server process.

    Attributes:
        head_bytes: The size of request line and headers. A larger one gets 431.
        head_seconds: How long they may take to arrive. A slower one gets 408.
        body_bytes: The size of a body. A larger one gets 413.
        body_seconds: How long a body may take to arrive. A slower one gets 408.
        idle_seconds: How long a connection is kept between requests.
        slow_seconds: How long a request may take before it is logged while it runs, and how long the event loop may be
            blocked before the log says where.
        stalled_seconds: How long a client may read nothing of a response before it is disconnected.
        connections: The number of connections. For a further one, the longest idle one is closed. If all are busy,
            a request on a further one gets 503.
        connections_of_address: The same for the connections of one client address.
        connections_for_health_checks: The number of further connections, on which only health checks get another
            response than 503.
        file_bytes: The size of all responses that are written to a temporary file before they are sent: Parquet, and
            every stream to HTTP/1.0. A single user gets half of it.
        finish_seconds: How long responses in flight may take when the server shuts down.
        close_seconds: How long the server may take to close afterwards.
    """

    head_bytes: int = 16 * 1024
    head_seconds: float = 10
    body_bytes: int = 4 * 1024 * 1024
    body_seconds: float = 30
    idle_seconds: int = 30
    slow_seconds: float = 10
    stalled_seconds: float = 60
    connections: int = 500
    connections_of_address: int = 400
    connections_for_health_checks: int = 20
    file_bytes: int = 8 << 30
    finish_seconds: int = 10
    close_seconds: int = 5


LIMITS = Limits()


class RequestLimitsMiddleware:
    """Middleware that refuses bodies that are too large with 413, and requests on too many connections with 503.

    The rest of a refused body is read and dropped. If the connection were closed at once, it would be reset, and the
    client might never see the reason.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._max_bytes = limits.body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if CROWDED in scope and scope["path"] not in _HEALTH_CHECKS:
            headers = {"Retry-After": "1", "Connection": "close"}
            refusal = problems.respond(scope["path"], 503, "The server has too many connections.", headers=headers)
            await refusal(scope, receive, send)
        elif scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
        elif _declared(scope) > self._max_bytes:
            await problems.respond(scope["path"], 413, self._detail())(scope, receive, send)
        else:
            await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, self._detail())
            return message

        return count

    def _detail(self) -> str:
        return f"A body may have at most {self._max_bytes:,} bytes. Split it into several requests."


def _declared(scope: Scope) -> int:
    # The parser accepts only digits.
    return int(next((value for name, value in scope["headers"] if name == b"content-length"), 0))
