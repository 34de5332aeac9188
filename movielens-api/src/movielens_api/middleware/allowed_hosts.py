"""Refusal of requests for other hosts, which a browser sends if a foreign name leads to this server (DNS rebinding)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from movielens_api.auth.credentials import is_loopback
from movielens_api.http import problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL = ("localhost", "127.0.0.1", "::1")
# A host and its port. `AmbiguityMiddleware` has refused everything else.
_HOST = re.compile(rb"\s*(\[[^\]]*\]|[^:]*)(?::[0-9]*)?\s*")


def names_to_allow(listening: str, given: Iterable[str]) -> frozenset[str] | None:
    """Return the names to which a server responds, or None if it responds to all.

    A server on a loopback address is meant for this computer only. Elsewhere, the server cannot know its names.

    Args:
        listening: The address on which the server listens.
        given: Further names, in lower case.
    """
    names = frozenset(given)
    return names.union(_LOCAL) if names or is_loopback(listening) else None


class AllowedHostsMiddleware:
    """Middleware that refuses requests for other hosts with 421.

    A request without ``Host``, which only HTTP/1.0 may send, is passed on: no browser sends one.

    Args:
        app: The application that handles all other requests.
        names: The names that are allowed in addition to all loopback addresses, on any port.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        host = _host(scope) if scope["type"] == "http" else None
        if host is None or host in self._names or is_loopback(host):
            await self.app(scope, receive, send)
            return
        detail = f"This server does not respond to the host name {host}. --allowed-host adds names."
        await problems.respond(scope["path"], 421, detail)(scope, receive, send)


def _host(scope: Scope) -> str | None:
    return next((_host_name(value) for name, value in scope["headers"] if name == b"host"), None)


@lru_cache(maxsize=256)
def _host_name(value: bytes) -> str | None:
    found = _HOST.fullmatch(value)
    return found[1].decode("latin-1").strip("[]").lower().removesuffix(".") if found else None
