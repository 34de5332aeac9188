"""The ASGI application: its routes, its middleware and its OpenAPI document."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from movielens_api import __version__
from movielens_api.auth.logins import Logins
from movielens_api.http import problems
from movielens_api.http.etags import Document
from movielens_api.http.file_space import FileSpace
from movielens_api.http.ingest import NewRating, OwnRating
from movielens_api.http.read_route import DirectRoute, document_head
from movielens_api.middleware.allowed_hosts import AllowedHostsMiddleware
from movielens_api.middleware.ambiguity import AmbiguityMiddleware
from movielens_api.middleware.authentication import AuthenticationMiddleware, document_authentication
from movielens_api.middleware.http10 import Http10Middleware
from movielens_api.middleware.observability import ObservabilityMiddleware
from movielens_api.middleware.rate_limit import RateLimitMiddleware, Slots
from movielens_api.middleware.request_limits import Limits, RequestLimitsMiddleware
from movielens_api.observability.metrics import Metrics
from movielens_api.routes import posting, ratings, recommendations
from movielens_api.routes.html_pages import docs_router, landing_router
from movielens_api.routes.movies_and_users import movies_router, users_router
from movielens_api.routes.operations import health_router, metrics_router
from movielens_api.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from starlette.types import ASGIApp

    from movielens_api.auth import Credentials
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.observability.access_log import AccessLog
    from movielens_api.recommendations.champion import Champion
    from movielens_api.table.catalogue import Catalogue

# Under how many prefixes of other applications the application is likely to be mounted.
_MAX_PREFIXES = 8
DESCRIPTION = """
MovieLens ratings, page by page.

All endpoints except `/`, `/healthz`, `/readyz`, `/docs` and `/openapi.json` require a user and password (HTTP Basic) or
a token (Bearer).
Lists have the form `{"result": [...], "offset": 0, "limit": 100, "total": 100004}`; ratings are available in other
formats, too.
Movies are recommended if the server was started with `--recommendations`.
Errors are `application/problem+json` (RFC 9457). Parameters that are not listed here are errors.
"""


class Api(FastAPI):
    """A FastAPI application with middleware around it, whose OpenAPI document includes the schemas of errors and posts.

    Args:
        metrics: The metrics to update with each request.
        access_log: The access log, or None to write none.
        limits: What a client may send.
        allowed_hosts: See ``create_app``.
        arguments: The arguments of ``FastAPI``.
    """

    def __init__(
        self,
        metrics: Metrics,
        access_log: AccessLog | None,
        limits: Limits,
        allowed_hosts: Collection[str] | None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self._metrics = metrics
        self._access_log = access_log
        self._limits = limits
        self._allowed_hosts = allowed_hosts

    def setup(self) -> None:
        """Add the route of the OpenAPI document. FastAPI's own would write all of it for each request."""
        written = lru_cache(maxsize=_MAX_PREFIXES)(self._document)

        async def document(request: Request) -> Response:
            return written(request.scope.get("root_path", "").rstrip("/")).respond(request)

        self.add_route("/openapi.json", document, include_in_schema=False)

    def _document(self, prefix: str) -> Document:
        content = self.openapi()
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return Document(bytes(JSONResponse({**content, **servers}).body), JSONResponse.media_type, {})

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the routes in middleware: observability, HTTP/1.0, ambiguity, allowed hosts, limits, FastAPI."""
        # Match the most requested path first. It is not a prefix of any other.
        self.router.routes.sort(key=lambda route: not isinstance(route, DirectRoute))
        paths = {path for route in self.router.routes if "{" not in (path := getattr(route, "path", "{"))}
        inner: ASGIApp = RequestLimitsMiddleware(super().build_middleware_stack(), self._limits)
        if self._allowed_hosts is not None:
            inner = AllowedHostsMiddleware(inner, self._allowed_hosts)
        checked = Http10Middleware(AmbiguityMiddleware(inner))
        return ObservabilityMiddleware(checked, self._metrics, self._access_log, paths, self._limits.slow_seconds)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        posted = {kind.__name__: kind.model_json_schema() for kind in (NewRating, OwnRating)}
        schemas = {**problems.schemas(), **posted}
        document["components"]["schemas"].update(schemas)
        document_authentication(document)
        document_head(document)
        return document


def create_app(
    catalogue: Catalogue,
    credentials: Credentials | None,
    *,
    store: Store | None = None,
    users_file: UsersFile | None = None,
    rate_limit: int | None = None,
    slots: Slots | None = None,
    access_log: AccessLog | None = None,
    limits: Limits | None = None,
    allowed_hosts: Collection[str] | None = None,
    champion: Champion | None = None,
) -> FastAPI:
    """Build an ASGI application that serves a catalogue to authorized users.

    Args:
        catalogue: The movies, users and ratings.
        credentials: A user with all permissions, or None.
        store: Where posted ratings are kept. The caller closes it. By default, a temporary store of this application.
        users_file: Further users.
        rate_limit: How many requests per second each user may send. By default, there is no limit.
        slots: Where requests are counted. Processes that share a limit share a file. By default, each process counts
            by itself.
        access_log: Where to log requests. By default, they are not logged.
        limits: What a client may send.
        allowed_hosts: The host names that requests may be for, in lower case, in addition to the loopback addresses.
            Others get 421. By default, all are allowed.
        champion: The model that recommends movies. The caller closes it. By default, nothing is recommended.
    """
    opened = store or Store.temporary(catalogue)
    limits = limits or Limits()
    if champion:
        opened.index_users()
    metrics = Metrics(lambda: len(opened.latest.ratings), champion)
    app = Api(
        metrics,
        access_log,
        limits,
        allowed_hosts,
        title="movielens-api",
        version=__version__,
        generate_unique_id_function=lambda route: route.name,
        description=DESCRIPTION,
        # Errors have one format everywhere: no redirects, no second documentation.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=partial(_lifespan, opened, closes=store is None),
    )
    problems.install(app)
    for router in (
        landing_router(catalogue, opened, champion),
        docs_router(app.title),
        health_router(opened.unready, champion),
        ratings.router(opened, FileSpace(limits.file_bytes)),
        posting.router(opened),
        movies_router(catalogue),
        users_router(opened),
        recommendations.router(champion, opened, catalogue) if champion else recommendations.off_router(),
        metrics_router(metrics, opened),
    ):
        app.include_router(router)
    # The middleware added last runs first.
    if rate_limit:
        app.add_middleware(RateLimitMiddleware, requests=rate_limit, slots=slots or Slots())
    app.add_middleware(AuthenticationMiddleware, logins=Logins(credentials, users_file))
    return app


@asynccontextmanager
async def _lifespan(store: Store, _app: FastAPI, *, closes: bool) -> AsyncIterator[None]:
    unloading = asyncio.create_task(store.unload_when_idle())
    with store if closes else nullcontext():
        try:
            yield
        finally:
            unloading.cancel()
