"""The application: routes, who may use them, and its OpenAPI document."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from movielens_api import __version__
from movielens_api.auth.logins import Logins
from movielens_api.http import problems
from movielens_api.http.ingest import NewRating
from movielens_api.middleware.ambiguity import AmbiguityMiddleware
from movielens_api.middleware.authentication import AuthenticationMiddleware, document_authentication
from movielens_api.middleware.http10 import Http10Middleware
from movielens_api.middleware.observability import ObservabilityMiddleware
from movielens_api.middleware.rate_limit import RateLimitMiddleware, Slots
from movielens_api.middleware.request_limits import Limits, RequestLimitsMiddleware
from movielens_api.observability.metrics import Metrics
from movielens_api.routes import posting, ratings
from movielens_api.routes.catalogue import movies_router, users_router
from movielens_api.routes.html_pages import docs_router, landing_router
from movielens_api.routes.operations import health_router, metrics_router
from movielens_api.routes.read_route import DirectRoute, document_head
from movielens_api.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from movielens_api.auth import Credentials
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.observability.logs import AccessLog
    from movielens_api.table.catalogue import Catalogue

DESCRIPTION = """
MovieLens ratings, page by page.

Everything but `/`, `/healthz`, `/readyz`, `/docs` and `/openapi.json` wants a user and password (HTTP Basic) or a token
(Bearer).
Lists come as `{"result": [...], "offset": 0, "limit": 100, "total": 100004}`; ratings in other formats, too.
Errors are `application/problem+json` (RFC 9457), and a parameter that is not listed here is an error.
"""


class Api(FastAPI):
    """FastAPI with layers around it, whose OpenAPI document knows the schema of problem documents.

    Args:
        counts: what counts the requests.
        access_log: what takes a line per request, if anything.
        limits: what a client may send.
        arguments: what FastAPI takes.
    """

    def __init__(self, counts: Metrics, access_log: AccessLog | None, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._counts = counts
        self._access_log = access_log
        self._limits = limits

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers around the routes, outermost first: observation, HTTP/1.0, ambiguity, limits, FastAPI."""
        # The address asked most is found first; it is no other's prefix.
        self.router.routes.sort(key=lambda route: not isinstance(route, DirectRoute))
        paths = {path for route in self.router.routes if "{" not in (path := getattr(route, "path", "{"))}
        limited = RequestLimitsMiddleware(super().build_middleware_stack(), self._limits)
        checked = Http10Middleware(AmbiguityMiddleware(limited))
        return ObservabilityMiddleware(checked, self._counts, self._access_log, paths)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        schemas = {**problems.schemas(), "NewRating": NewRating.model_json_schema()}
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
) -> FastAPI:
    """Build an ASGI application that serves a catalogue to those who may use it.

    Args:
        catalogue: movies, users and ratings.
        credentials: a user who may do everything.
        store: where posted ratings are kept, which the caller closes; by default, a temporary one of this application.
        users_file: further users.
        rate_limit: how many requests a second each user may send; by default, any number.
        slots: what counts them, for processes that share a limit; by default, each counts alone.
        access_log: what takes a line per request; by default, nothing does.
        limits: what a client may send.
    """
    kept = store or Store.temporary(catalogue)
    counts = Metrics(lambda: len(kept.latest.ratings))
    app = Api(
        counts,
        access_log,
        limits or Limits(),
        title="movielens-api",
        version=__version__,
        generate_unique_id_function=lambda route: route.name,
        description=DESCRIPTION,
        # Every address answers or is an error in the one shape: no redirects, no second documentation.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=None if store else partial(_closing, kept),
    )
    problems.install(app)
    for router in (
        landing_router(catalogue, kept),
        docs_router(app.title),
        health_router(kept.unready),
        ratings.router(kept),
        posting.router(kept),
        movies_router(catalogue),
        users_router(kept),
        metrics_router(counts, kept),
    ):
        app.include_router(router)
    # The last one added is the first one asked.
    if rate_limit:
        app.add_middleware(RateLimitMiddleware, requests=rate_limit, slots=slots or Slots())
    app.add_middleware(AuthenticationMiddleware, logins=Logins(credentials, users_file))
    return app


@asynccontextmanager
async def _closing(store: Store, _app: FastAPI) -> AsyncIterator[None]:
    with store:
        yield
