"""The application: routes, who may use them, and its OpenAPI document."""

from typing import Any

from fastapi import Depends, FastAPI

from movielens_api import __version__, problems
from movielens_api.auth import BasicAuth, Credentials
from movielens_api.catalogue import Catalogue
from movielens_api.read_route import document_head
from movielens_api.routes import docs, health, landing, movies, ratings, users
from movielens_api.snapshots import Snapshots

DESCRIPTION = """
MovieLens ratings, page by page.

Everything but `/`, `/healthz`, `/docs` and `/openapi.json` wants HTTP Basic authentication.
Lists come as `{"result": [...], "offset": 0, "limit": 100, "total": 100004}`; ratings in other formats, too.
Errors are `application/problem+json` (RFC 9457), and a parameter that is not listed here is an error.
"""


class Api(FastAPI):
    """FastAPI whose OpenAPI document knows the schema of problem documents."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        document["components"]["schemas"].update(problems.schemas())
        document_head(document)
        return document


def create_app(catalogue: Catalogue, credentials: Credentials, snapshots: Snapshots | None = None) -> FastAPI:
    """Build an ASGI application that serves a catalogue to the holder of the credentials.

    Args:
        catalogue: movies, users and ratings.
        credentials: the one user and password.
        snapshots: the states of the ratings, for whoever publishes new ones; by default, the catalogue's alone.
    """
    snapshots = snapshots or Snapshots(catalogue.ratings)
    app = Api(
        title="movielens-api",
        version=__version__,
        generate_unique_id_function=lambda route: route.name,
        description=DESCRIPTION,
        # Every address answers or is an error in the one shape: no redirects, no second documentation.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    problems.install(app)
    for public in (landing.router(catalogue, snapshots), docs.router(app.title), health.router()):
        app.include_router(public)
    protected = [Depends(BasicAuth(credentials))]
    for router in (ratings.router(snapshots), movies.router(catalogue), users.router(catalogue.users)):
        app.include_router(router, dependencies=protected)
    return app
