"""Authentication: only known users reach the routes, and a route may require a role."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request

from movielens_api.auth.credentials import CHALLENGES
from movielens_api.auth.login_queue import LoginsLimitedError
from movielens_api.http import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import ASGIApp, Receive, Scope, Send

    from movielens_api.auth.credentials import Identity, Role
    from movielens_api.auth.logins import Logins

_PUBLIC = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
_PUBLIC_FOLDER = "/static/"
WANTED = "Authentication required: send a user and password (HTTP Basic) or a token (Bearer)."
LIMITED = "Too many logins failed or are in progress. Wait as long as the Retry-After header says."
_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "A user and password of this server."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token from `movielens-api tokens add`."},
}


class AuthenticationMiddleware:
    """Middleware that sets ``scope["user"]`` to the user's ``Identity``, or responds with 401 to any bad credentials.

    Args:
        app: The routes.
        logins: Identifies users.
    """

    def __init__(self, app: ASGIApp, logins: Logins) -> None:
        self.app = app
        self.logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http" or is_public(_route(scope)):
            await self.app(scope, receive, send)
            return
        response: ASGIApp = self.app
        try:
            header = _authorization(scope)
            user = await self.logins.identify(header, _address(scope)) if header else None
            if user is None:
                response = problems.respond(scope["path"], 401, WANTED, headers={"WWW-Authenticate": CHALLENGES})
            else:
                scope["user"] = user
        except LoginsLimitedError as error:
            headers = {"Retry-After": str(max(1, ceil(error.seconds)))}
            response = problems.respond(scope["path"], 429, LIMITED, headers=headers)
        await response(scope, receive, send)


def is_public(path: str) -> bool:
    """Return whether a path needs no credentials."""
    return path in _PUBLIC or path.startswith(_PUBLIC_FOLDER)


def _route(scope: Scope) -> str:
    """Return the path that the routes see, without the prefix under which the application is mounted."""
    path: str = scope["path"]
    prefix = scope.get("root_path")
    return path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path


def _authorization(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return b""


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def document_authentication(document: dict[str, Any]) -> None:
    """Add the authentication schemes, and the errors 401 and 429, to an OpenAPI document."""
    document["components"]["securitySchemes"] = _SCHEMES
    for path, item in document["paths"].items():
        for operation in item.values():
            if not is_public(path):
                operation["security"] = [{scheme: []} for scheme in _SCHEMES]
                errors = problems.responses(401, 429)
                operation["responses"] |= {str(status): error for status, error in errors.items()}


def require(role: Role) -> Callable[[Request], Coroutine[None, None, None]]:
    """Return a dependency that responds with 403 to users without a role.

    Example: ``@routes.post("/ratings", dependencies=[Depends(require("write"))])``
    """

    async def check(request: Request) -> None:
        user: Identity = request.scope["user"]
        if role not in user.roles:
            raise HTTPException(
                403, f"This request needs the role {role}. {user.name}, or the token that was sent, does not have it."
            )

    return check
