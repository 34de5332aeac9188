"""The application of the page: all views, each behind Airflow's security, and the pages for errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow.configuration import conf
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from airflow_movielens.client.errors import MovielensError
from airflow_movielens.plugin import static_files
from airflow_movielens.plugin.errors import PageError, UnreachableError
from airflow_movielens.plugin.rendering import compile_templates, page_url, render
from airflow_movielens.plugin.security import PAGE_ACCESS
from airflow_movielens.plugin.views import models, partitions, rankings, recommendations, runs, tasks

if TYPE_CHECKING:
    from starlette.middleware.base import RequestResponseEndpoint

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ADVICE = {
    401: "Log in to Airflow, then load this page again.",
    403: "Ask an administrator of Airflow for the right to see plugins, and to read this Dag if the page is about one.",
    404: "The address may be mistyped, or what it showed is gone. Choose a view above.",
}

home = APIRouter()


@home.get("/")
def redirect_to_partitions(request: Request) -> RedirectResponse:
    """Open the first view."""
    return RedirectResponse(page_url(request, "partitions/"))


def create_app() -> FastAPI:
    """Return the page as an application for Airflow's API server. Nothing in it can be seen without a login."""
    compile_templates()
    app = FastAPI(title="MovieLens", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for part in (static_files, partitions, rankings, models, recommendations, runs, tasks):
        app.include_router(part.router, dependencies=[PAGE_ACCESS])
    app.include_router(home, dependencies=[PAGE_ACCESS])
    app.middleware("http")(_add_headers)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(PageError)(_not_shown)
    for unreachable in (OSError, MovielensError):
        app.exception_handler(unreachable)(_unreachable)
    app.exception_handler(Exception)(_failed)
    return app


async def _add_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _refused(request: Request, error: HTTPException) -> Response:
    title = f"{error.status_code} {HTTPStatus(error.status_code).phrase}"
    advice = _ADVICE.get(error.status_code, str(error.detail))
    response = render(request, "error.html", error.status_code, title=title, advice=advice)
    response.headers.update(error.headers or {})
    return response


def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return render(request, "error.html", 422, title="The address of this page is not valid.", advice=f"{found}.")


def _not_shown(request: Request, error: PageError) -> Response:
    return render(request, "error.html", error.status, title=error.title, advice=error.advice)


def _unreachable(request: Request, error: Exception) -> Response:
    root = conf.get("movielens", "data_root", fallback="")
    path = str(getattr(error, "filename", None) or root)
    return _not_shown(request, UnreachableError(path, error))


def _failed(request: Request, error: Exception) -> Response:
    # Its text may hold anything; Airflow logs it.
    advice = f"There was an unexpected error: {type(error).__name__}. The log of the API server has the details."
    response = render(request, "error.html", 500, title="This view cannot be shown.", advice=advice)
    response.headers.update(HEADERS | {"Cache-Control": "no-store"})
    return response
