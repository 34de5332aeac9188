"""Profiles that send the client elsewhere."""

import logging

from starlette.datastructures import URL
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import Receive, Scope, Send

from movielens_api.hostile.layer import Layer, header

ELSEWHERE = "/elsewhere/ratings"

log = logging.getLogger(__name__)


class OtherHost(Layer):
    """Redirects to another name of this computer, where Credentials-Received says yes or no."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the other host."""
        if scope["type"] != "http" or scope["path"] != ELSEWHERE:
            await super().__call__(scope, receive, send)
            return
        has_credentials = bool(header(scope, "authorization"))
        if has_credentials:
            log.warning("the client sent its credentials to another host")
        page = {"result": [], "offset": 0, "limit": 100, "total": 0}
        received = "yes" if has_credentials else "no"
        await JSONResponse(page, headers={"Credentials-Received": received})(scope, receive, send)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect."""
        asked = URL(scope=scope)
        other = "127.0.0.1" if asked.hostname == "localhost" else "localhost"
        await RedirectResponse(asked.replace(hostname=other, path=ELSEWHERE), 302)(scope, receive, send)


class Loop(Layer):
    """Redirects every request to itself."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect."""
        await RedirectResponse(URL(scope=scope), 302)(scope, receive, send)
