"""The application: routes, who may use them, and its OpenAPI document."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from movielens_api import __version__, problems
from movielens_api.auth import Credentials
from movielens_api.auth.document import document_authentication
from movielens_api.auth.layer import Authentication
from movielens_api.auth.logins import Logins
from movielens_api.auth.users_file import UsersFile
from movielens_api.catalogue import Catalogue
from movielens_api.posted_rows import NewRating
from movielens_api.rate_limits.layer import RateLimit
from movielens_api.rate_limits.slots import Slots
from movielens_api.read_route import document_head
from movielens_api.routes import docs, health, landing, movies, posting, ratings, users
from movielens_api.store import Store

DESCRIPTION = """
MovieLens ratings, page by page.

Everything but `/`, `/healthz`, `/docs` and `/openapi.json` wants a user and password (HTTP Basic) or a token (Bearer).
Lists come as `{"result": [...], "offset": 0, "limit": 100, "total": 100004}`; ratings in other formats, too.
Errors are `application/problem+json` (RFC 9457), and a parameter that is not listed here is an error.
"""


class Api(FastAPI):
    """FastAPI whose OpenAPI document knows the schema of problem documents."""

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
) -> FastAPI:
    """Build an ASGI application that serves a catalogue to those who may use it.

    Args:
        catalogue: movies, users and ratings.
        credentials: a user who may do everything.
        store: where posted ratings are kept, which the caller closes; by default, a temporary one of this application.
        users_file: further users.
        rate_limit: how many requests a second each user may send; by default, any number.
        slots: what counts them, for processes that share a limit; by default, each counts alone.
    """
    kept = store or Store.temporary(catalogue)
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
        lifespan=None if store else partial(_closing, kept),
    )
    problems.install(app)
    for router in (
        landing.router(catalogue, kept),
        docs.router(app.title),
        health.router(),
        ratings.router(kept),
        posting.router(kept),
        movies.router(catalogue),
        users.router(kept),
    ):
        app.include_router(router)
    # The last one added is the first one asked.
    if rate_limit:
        app.add_middleware(RateLimit, requests=rate_limit, slots=slots or Slots())
    app.add_middleware(Authentication, logins=Logins(credentials, users_file))
    return app


@asynccontextmanager
async def _closing(store: Store, _app: FastAPI) -> AsyncIterator[None]:
    with store:
        yield
