"""Requests that say something twice, which every program on the way may understand differently, are refused."""

from collections import Counter
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from movielens_api import problems

# The parser refuses a repeated Content-Length itself; headers that are lists may come in several lines (RFC 9110, 5.3).
SINGLE_HEADERS = frozenset({b"authorization", b"content-encoding", b"content-type", b"host", b"idempotency-key"})


class Unambiguous:
    """An ASGI layer: a parameter that is given twice is 422; a header that is given twice, or no Host, is 400.

    Args:
        app: What answers the other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests that say everything once."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    headers = Counter(name for name, _ in scope["headers"] if name in SINGLE_HEADERS)
    if repeated := sorted(name.decode().title() for name, count in headers.items() if count > 1):
        return problems.respond(scope["path"], 400, f"{', '.join(repeated)}: given more than once. Send it once.")
    if b"host" not in headers and scope["http_version"] == "1.1":
        return problems.respond(scope["path"], 400, "Host: missing. HTTP/1.1 requires this header.")
    return _repeated_parameter(scope) if b"&" in scope["query_string"] else None


def _repeated_parameter(scope: Scope) -> Response | None:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    repeated = sorted(name for name, count in Counter(name for name, _ in query).items() if count > 1)
    if not repeated:
        return None
    errors = [problems.ParameterError(parameter=name, message="Given more than once") for name in repeated]
    detail = "; ".join(f"{error.parameter}: {error.message}" for error in errors)
    return problems.respond(scope["path"], 422, detail, errors=errors)
