"""The outermost middleware: counts and logs every request, and responds to those that failed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from movielens_api.http import problems
from movielens_api.observability.masking import without_secrets
from movielens_api.observability.metrics import OTHER, Metrics
from movielens_api.observability.slow_requests import SlowRequests

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from movielens_api.observability.access_log import AccessLog

# The key in the scope with which routes report how many ratings they sent or added.
ROWS = "movielens_api.rows"
_FIRST_REDIRECTION = 300
_MAX_TEXT = 500

log = logging.getLogger(__name__)


class ObservabilityMiddleware:
    """Middleware that counts and logs the requests to an application.

    Args:
        app: The application.
        metrics: The metrics to update.
        access_log: The access log, if any.
        routes: All paths without parameters, as labels for requests that are refused before routing.
        slow_seconds: See ``SlowRequests``.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        access_log: AccessLog | None,
        routes: Collection[str],
        slow_seconds: float,
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._access_log = access_log
        self._routes = frozenset(routes)
        self._slow = SlowRequests(slow_seconds)
        self._name = os.urandom(4).hex()
        self._number = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response = ResponseRecorder(send, has_body=scope["method"] != "HEAD")
        scope[problems.REQUEST] = f"{self._name}-{next(self._number)}"
        started = time.perf_counter()
        self._metrics.began()
        running = self._slow.began(lambda: _described(scope, response))
        try:
            await self.app(scope, receive, response.send)
        except Exception:
            log.exception("request %s failed: %s %r", scope[problems.REQUEST], scope["method"], _path(scope))
            await self._respond_500(response, scope, receive)
        except asyncio.CancelledError:
            # The server is shutting down and no longer waits. No caller needs the exception.
            log.warning("request %s was cancelled: the server is shutting down", scope[problems.REQUEST])
        finally:
            self._metrics.ended()
            self._slow.ended(running)
            self._record(scope, response, time.perf_counter() - started)

    async def _respond_500(self, response: ResponseRecorder, scope: Scope, receive: Receive) -> None:
        # The server cuts off a response in flight, so that no client mistakes it for a complete one.
        if not response.status:
            await problems.server_error(scope)(scope, receive, response.send)

    def _record(self, scope: Scope, response: ResponseRecorder, seconds: float) -> None:
        label: str = scope["route"].path if "route" in scope else scope["path"]
        if "route" not in scope and label not in self._routes:
            label = OTHER
        rows = scope.get(ROWS, 0) if response.bytes and response.status < _FIRST_REDIRECTION else 0
        self._metrics.count(scope["method"], label, response.status, seconds=seconds, sent=response.bytes, rows=rows)
        if self._access_log:
            self._access_log.write(_entry(scope, response, seconds))


class ResponseRecorder:
    """A ``send`` function that records the status and size of the response.

    Args:
        send: Sends the messages.
        has_body: Whether the server sends the body, which it does not for HEAD.

    Attributes:
        status: The HTTP status; 0 until something was sent.
        bytes: The size of the body so far.
    """

    __slots__ = ("_has_body", "_send", "bytes", "status")

    def __init__(self, send: Send, *, has_body: bool) -> None:
        self._send = send
        self._has_body = has_body
        self.status = 0
        self.bytes = 0

    async def send(self, message: Message) -> None:
        """Send a message and record it."""
        if message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b"")) if self._has_body else 0
        elif message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _path(scope: Scope) -> str:
    # Cut first: what is cut off need not be searched.
    return without_secrets(scope["path"][:_MAX_TEXT])


def _client(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _described(scope: Scope, response: ResponseRecorder) -> str:
    sent = f"{response.bytes:,} bytes of a response {response.status}" if response.status else "nothing"
    return f"{scope[problems.REQUEST]}, {scope['method']} {_path(scope)!r} of {_client(scope)}, sent {sent}"


def _entry(scope: Scope, response: ResponseRecorder, seconds: float) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request": scope[problems.REQUEST],
        "client": _client(scope),
        "user": getattr(scope.get("user"), "name", None),
        "method": scope["method"],
        "path": _path(scope),
        "query": without_secrets(scope["query_string"][:_MAX_TEXT].decode("latin-1")),
        "status": response.status,
        "bytes": response.bytes,
        "duration_ms": round(seconds * 1000, 2),
        "agent": next((value for name, value in scope["headers"] if name == b"user-agent"), b"")[:_MAX_TEXT].decode(
            "latin-1"
        ),
    }
