"""Refusal of ambiguous requests: repeated headers or parameters, and invalid framing."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

from movielens_api.http import problems
from movielens_api.middleware.authentication import is_public

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

Name = TypeVar("Name", str, bytes)
# The parser refuses a repeated Content-Length itself; headers that are lists may come in several lines (RFC 9110, 5.3).
_SINGLE_HEADERS = frozenset({b"authorization", b"content-encoding", b"content-type", b"host", b"idempotency-key"})
# The key in the scope for the target of a request as it was sent.
TARGET = "movielens_api.target"
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)[^#]*", re.IGNORECASE)
# uri-host [ ":" port ] of RFC 9110, 7.2, where an http URI has no empty host (4.2.1); an IPv6 address may have a zone.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+(%[\w.~-]+)?\]|([\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(:[0-9]*)?")
# No endpoint has more than five.
_MAX_PARAMETERS = 100
_TOO_MANY_PARAMETERS = f"A request may have at most {_MAX_PARAMETERS} parameters."
_BAD_FRAMING = "Transfer-Encoding: not defined in this version of HTTP. Send Content-Length, or use HTTP/1.1."
_BAD_CODING = "Transfer-Encoding: only chunked is supported."
_BAD_TARGET = "The target of a request is a path or begins with http:// or https://, and has no fragment (#)."
_BAD_HOST = "Host: missing, empty or not a host name. Send the host of the URL, such as localhost:5000."


class AmbiguityMiddleware:
    """Middleware that refuses ambiguous requests.

    A repeated parameter gets 422. A repeated header, an invalid Host, more parameters than any endpoint has,
    Transfer-Encoding outside HTTP/1.1 and a target that is not a path get 400. A transfer coding other than chunked
    gets 501.

    Args:
        app: The application that handles all other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    if repeated := _repeated([name for name, _ in scope["headers"] if name in _SINGLE_HEADERS]):
        names = ", ".join(name.decode().title() for name in repeated)
        return problems.respond(scope["path"], 400, f"{names}: given more than once. Send it once.")
    return _bad_framing(scope) or _bad_address(scope) or _repeated_parameter(scope)


def _bad_framing(scope: Scope) -> Response | None:
    codings = [value.strip().lower() for name, value in scope["headers"] if name == b"transfer-encoding"]
    if not codings:
        return None
    if scope["http_version"] != "1.1":
        status, detail = 400, _BAD_FRAMING
    elif codings != [b"chunked"]:
        status, detail = 501, _BAD_CODING
    else:
        return None
    # Nothing that follows on this connection can be trusted (RFC 9112, 6.1).
    return problems.respond(scope["path"], status, detail, headers={"Connection": "close"})


def _bad_address(scope: Scope) -> Response | None:
    target = scope.get(TARGET, b"/")
    absolute = _ABSOLUTE.fullmatch(target)
    if not absolute and (not target.startswith((b"/", b"*")) or b"#" in target):
        return problems.respond(scope["path"], 400, _BAD_TARGET)
    if absolute:
        # The target takes precedence over Host (RFC 9112, 3.2.2).
        scope["headers"] = [(name, absolute[1] if name == b"host" else value) for name, value in scope["headers"]]
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if (not hosts and scope["http_version"] == "1.1") or not all(_HOST.fullmatch(host.strip(b" \t")) for host in hosts):
        return problems.respond(scope["path"], 400, _BAD_HOST)
    return None


def _repeated_parameter(scope: Scope) -> Response | None:
    # Public endpoints have no parameters, and ignore those of probes and caches.
    query: bytes = scope["query_string"]
    number = query.count(b"&") + 1
    if number == 1 or is_public(scope["path"]):
        return None
    if number > _MAX_PARAMETERS:
        return problems.respond(scope["path"], 400, _TOO_MANY_PARAMETERS)
    names = [pair.partition(b"=")[0] for pair in query.split(b"&")]
    # Names that are not encoded are equal if their bytes are, so that nothing has to be decoded.
    if len(set(names)) == number and not any(b"%" in name or b"+" in name for name in names):
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    repeated = _repeated([name for name, _ in pairs])
    if not repeated:
        return None
    errors = [problems.ParameterError(parameter=name, message="Given more than once") for name in repeated]
    detail = "; ".join(f"{error.parameter}: {error.message}" for error in errors)
    return problems.respond(scope["path"], 422, detail, errors=errors)


def _repeated(names: list[Name]) -> list[Name]:
    return sorted(name for name, count in Counter(names).items() if count > 1) if len(set(names)) < len(names) else []
