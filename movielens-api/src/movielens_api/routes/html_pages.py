"""`/docs`: Swagger UI, from this server alone."""

from __future__ import annotations

import re
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.http import content_security
from movielens_api.http.etags import Document
from movielens_api.landing.page import HEADERS, address, render
from movielens_api.routes.read_route import ReadRoute
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

# The package carries current releases of Swagger UI; FastAPI's own page loads them from the internet.
FOLDER = files("fastapi_offline") / "static"
FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
NOT_GUESSED = {"X-Content-Type-Options": "nosniff"}


def docs_router(title: str) -> APIRouter:
    """Serve the documentation and the files it needs, to everyone.

    Args:
        title: what the page is called.
    """
    routes = APIRouter(route_class=ReadRoute, include_in_schema=False)
    # Starlette's StaticFiles would answer a malformed Range in plain text, and these are small enough to be held.
    static = {name: Document((FOLDER / name).read_bytes(), kind, NOT_GUESSED) for name, kind in FILES.items()}
    page = _page(title)

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return page.respond(request)

    @routes.get("/static/{name}")
    async def static_file(name: str, request: Request) -> Response:
        if name not in static:
            raise HTTPException(404)
        return static[name].respond(request)

    return routes


def _page(title: str) -> Document:
    # Relative addresses are right behind any prefix of a proxy.
    answer = get_swagger_ui_html(
        title=title,
        openapi_url="openapi.json",
        swagger_js_url="static/swagger-ui-bundle.js",
        swagger_css_url="static/swagger-ui.css",
        swagger_favicon_url="static/favicon.png",
        # Else Swagger UI sends the address of the document to a validator on the internet.
        swagger_ui_parameters={"validatorUrl": None},
    )
    html = bytes(answer.body)
    scripts = re.findall(r"<script>(.*?)</script>", html.decode(), re.DOTALL)
    headers = content_security.headers(
        script_src=["'self'", *map(content_security.inline, scripts)],
        # Swagger UI's own style attributes.
        style_src=["'self'", "'unsafe-inline'"],
        img_src=["'self'", "data:"],
        connect_src=["'self'"],
    )
    return Document(html, "text/html", headers)


def landing_router(catalogue: Catalogue, store: Store) -> APIRouter:
    """Serve the landing page, to everyone."""
    routes = APIRouter(route_class=ReadRoute, include_in_schema=False)

    @routes.get("/")
    async def landing(request: Request) -> Response:
        # In another thread: counting the users of a new version takes a moment.
        page = await run_in_threadpool(render, catalogue, await store.current(), address(request))
        return Document(page, "text/html", HEADERS).respond(request)

    return routes
