"""The role that a route requires. Its own module, so that commands, which need identities, import no FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from movielens_api.auth.identity import Identity, Role


def require(role: Role) -> Callable[[Request], Coroutine[None, None, None]]:
    """Return a dependency that responds with 403 to users without a role.

    Example: ``@routes.post("/ratings", dependencies=[Depends(require("write"))])``
    """

    async def check(request: Request) -> None:
        user: Identity = request.scope["user"]
        if role not in user.roles:
            raise HTTPException(403, f"This needs the role {role}, which {user.name} or the token sent does not have.")

    return check
