"""Routes that respond to HEAD as well as GET (RFC 9110, section 9.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match, Route

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

READING = ("GET", "HEAD")


class ReadRoute(APIRoute):
    """A GET route that also matches HEAD: the headers are the same, and the server omits the body.

    FastAPI would document both under one operation id, so the route declares GET only; see ``document_head``. It must
    be the first route of its path.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HEAD as if it were GET."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            return super().matches({**scope, "method": "GET"})
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to GET and HEAD, and with 405 to other methods."""
        if scope["method"] not in READING:
            raise HTTPException(405, headers={"Allow": ", ".join(_allowed(scope))})
        await self.respond(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to GET and HEAD."""
        await self.app(scope, receive, send)


class DirectRoute(ReadRoute):
    """A route that FastAPI documents but does not run: its endpoint takes the request and returns the response.

    FastAPI's exit stacks, dependencies and serialization take longer than finding and writing a hundred ratings.
    """

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to GET and HEAD."""
        response: ASGIApp = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


def _allowed(scope: Scope) -> list[str]:
    here = [each for each in scope["app"].routes if isinstance(each, Route) and each.matches(scope)[0] != Match.NONE]
    return sorted({*READING, *(method for each in here for method in each.methods or ())})


def document_head(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document that every GET is also a HEAD, whose responses have no content."""
    for item in document["paths"].values():
        if "get" not in item:
            continue
        reading = item["get"]
        bodiless = {
            status: {name: said for name, said in response.items() if name != "content"}
            for status, response in reading["responses"].items()
        }
        item["head"] = {
            **reading,
            "operationId": reading["operationId"] + "_head",
            "summary": reading["summary"] + " (headers only)",
            "responses": bodiless,
        }
