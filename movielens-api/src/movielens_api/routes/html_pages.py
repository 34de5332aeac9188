"""The landing page at ``/``, and Swagger UI at ``/docs``, both without resources from other servers."""

from __future__ import annotations

import re
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.http import content_security
from movielens_api.http.etags import Document
from movielens_api.http.read_route import ReadRoute
from movielens_api.landing import HEADERS, address, render
from movielens_api.recommendations.champion import Champion
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

# The package carries current releases of Swagger UI; FastAPI's own page loads them from the internet.
_FOLDER = files("fastapi_offline") / "static"
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
_NOT_GUESSED = {"X-Content-Type-Options": "nosniff"}


def docs_router(title: str) -> APIRouter:
    """Return the routes of the documentation and its files, which need no credentials.

    Args:
        title: The title of the page.
    """
    routes = APIRouter(route_class=ReadRoute, include_in_schema=False)
    # Starlette's StaticFiles would respond to a malformed Range in plain text, and these files are small.
    static = {name: Document((_FOLDER / name).read_bytes(), kind, _NOT_GUESSED) for name, kind in _FILES.items()}
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
    # Relative URLs work behind any prefix of a proxy.
    response = get_swagger_ui_html(
        title=title,
        openapi_url="openapi.json",
        swagger_js_url="static/swagger-ui-bundle.js",
        swagger_css_url="static/swagger-ui.css",
        swagger_favicon_url="static/favicon.png",
        # Otherwise, Swagger UI sends the URL of the document to a validator on the internet.
        swagger_ui_parameters={"validatorUrl": None},
    )
    html = bytes(response.body)
    scripts = re.findall(r"<script>(.*?)</script>", html.decode(), re.DOTALL)
    headers = content_security.headers(
        script_src=["'self'", *map(content_security.inline, scripts)],
        # Swagger UI's own style attributes.
        style_src=["'self'", "'unsafe-inline'"],
        img_src=["'self'", "data:"],
        connect_src=["'self'"],
    )
    return Document(html, "text/html", headers)


def landing_router(catalogue: Catalogue, store: Store, champion: Champion | None) -> APIRouter:
    """Return the route of the landing page, which needs no credentials.

    Args:
        catalogue: The loaded dataset.
        store: The store of the ratings.
        champion: The model that recommends movies, if any.
    """
    routes = APIRouter(route_class=ReadRoute, include_in_schema=False)

    @routes.get("/")
    async def landing(request: Request) -> Response:
        # In another thread, because counting the users of a new version takes a moment.
        model = champion.served.version if champion else None
        page = await run_in_threadpool(render, catalogue, await store.current(), address(request), model)
        return Document(page, "text/html", HEADERS).respond(request)

    return routes
