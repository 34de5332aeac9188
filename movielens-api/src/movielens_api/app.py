"""The application: routes, who may use them, and its OpenAPI document."""

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from movielens_api import __version__, problems
from movielens_api.auth import BasicAuth, Credentials
from movielens_api.catalogue import Catalogue
from movielens_api.observation.access_log import AccessLog
from movielens_api.observation.layer import Observation
from movielens_api.observation.metrics import Metrics
from movielens_api.read_route import DirectRoute, document_head
from movielens_api.routes import health, metrics, movies, ratings, users
from movielens_api.server.limits import Limits, RequestLimits
from movielens_api.snapshots import Snapshots

DESCRIPTION = """
MovieLens ratings, page by page.

Everything but `/healthz`, `/readyz`, `/docs` and `/openapi.json` wants HTTP Basic authentication.
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
        """Put the layers around the routes, outermost first: observation, limits, FastAPI's own."""
        # The address asked most is found first; it is no other's prefix.
        self.router.routes.sort(key=lambda route: not isinstance(route, DirectRoute))
        paths = {path for route in self.router.routes if "{" not in (path := getattr(route, "path", "{"))}
        limited = RequestLimits(super().build_middleware_stack(), self._limits)
        return Observation(limited, self._counts, self._access_log, paths)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        document["components"]["schemas"].update(problems.schemas())
        document_head(document)
        return document


def create_app(
    catalogue: Catalogue,
    credentials: Credentials,
    snapshots: Snapshots | None = None,
    *,
    access_log: AccessLog | None = None,
    limits: Limits | None = None,
    unready: Callable[[], str | None] = lambda: None,
) -> FastAPI:
    """Build an ASGI application that serves a catalogue to the holder of the credentials.

    Args:
        catalogue: movies, users and ratings.
        credentials: the one user and password.
        snapshots: the states of the ratings, for whoever publishes new ones; by default, the catalogue's alone.
        access_log: what takes a line per request; by default, nothing does.
        limits: what a client may send.
        unready: tells why the server cannot serve ratings now, or None if it can.
    """
    snapshots = snapshots or Snapshots(catalogue.ratings)
    counts = Metrics(lambda: len(snapshots.current().ratings))
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
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    problems.install(app)
    app.include_router(health.router(unready))
    protected = [Depends(BasicAuth(credentials))]
    for router in (
        ratings.router(snapshots),
        movies.router(catalogue),
        users.router(catalogue.users),
        metrics.router(counts),
    ):
        app.include_router(router, dependencies=protected)
    return app
