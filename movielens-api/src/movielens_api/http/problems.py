"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request
    from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
DETAILS = {
    404: "There is nothing at this address; /docs lists all endpoints.",
    405: "This address does not support this method; the Allow header lists those it supports.",
    500: "The server failed. Its log says why",
}
HEADERS: dict[int, str] = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
# The key in the scope of a request for its id.
REQUEST = "movielens_api.request"


class ParameterError(BaseModel):
    """One parameter that is wrong."""

    parameter: str = Field(examples=["limit"])
    message: str = Field(examples=["Input should be less than or equal to 10000"])


class RowError(BaseModel):
    """One thing that is wrong with what was sent."""

    row: int | None = Field(default=None, description="Which row, counted from 0.", examples=[0])
    column: str | None = Field(default=None, description="Which of its columns, if it is one.", examples=["rating"])
    message: str = Field(examples=["Input should be a multiple of 0.5"])


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(default="about:blank", description="`about:blank`: the status says everything.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request.")
    instance: str = Field(description="The requested path.")
    errors: list[ParameterError | RowError] | None = Field(
        default=None, description="With 422 only: every parameter that is wrong, or up to 100 errors of the rows sent."
    )


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(WrongRows, _wrong_rows)
    app.add_exception_handler(ClientDisconnect, _broken_off)
    app.add_exception_handler(Exception, _server_error)


def respond(
    path: str,
    status: int,
    detail: str,
    *,
    errors: Sequence[ParameterError | RowError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document. It is an ASGI application, so middleware can use it, too.

    Args:
        path: The path of the request.
        status: The HTTP status.
        detail: What is wrong with this request, and what the client should do.
        errors: The parameters or rows that are wrong.
        headers: Further headers, such as ``Retry-After``.
    """
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=quote(path),
        errors=list(errors) or None,
    )
    # Escaped, because a message may quote half a surrogate pair, which UTF-8 cannot encode.
    content = json.dumps(problem.model_dump(exclude_none=True), separators=(",", ":"))
    return Response(content, status, headers=headers, media_type=MEDIA_TYPE)


def server_error(scope: Scope) -> Response:
    """Return the response to a request that failed in the server, with the id under which the log has the reason."""
    name = scope.get(REQUEST)
    return respond(scope["path"], 500, f"{DETAILS[500]}: request {name}." if name else f"{DETAILS[500]}.")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of a route's errors, as FastAPI's ``responses``."""
    return {status: _documented(status) for status in sorted({*statuses, 500})}


def schemas() -> dict[str, Any]:
    """Return the schemas that ``responses`` refers to, for the components of an OpenAPI document."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {"Problem": problem, **problem.pop("$defs")}


def _documented(status: int) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    documented = {"description": phrase, "content": content}
    if status in HEADERS:
        documented["headers"] = {HEADERS[status]: {"schema": {"type": "string"}}}
    return documented


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette types every handler alike
    said = error.detail != HTTPStatus(error.status_code).phrase
    detail = error.detail if said else DETAILS.get(error.status_code, error.detail)
    return respond(request.scope["path"], error.status_code, detail, headers=error.headers)


def parameter_error(parameter: str, message: str) -> RequestValidationError:
    """Return an error to raise in a route: 422 for a parameter that only the route can check."""
    return RequestValidationError([{"type": "value_error", "loc": ("query", parameter), "msg": message}])


async def _wrong_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    errors = [_parameter_error(found) for found in error.errors()]
    detail = "; ".join(f"{wrong.parameter}: {wrong.message}" for wrong in errors)
    return respond(request.scope["path"], 422, detail, errors=errors)


async def _broken_off(request: Request, _error: Exception) -> Response:
    # The client does not get it, but the log should not report a server error.
    return respond(request.scope["path"], 400, "The body ended too early. Nothing was added.")


class WrongRows(Exception):  # noqa: N818 - a response, as HTTPException is
    """An error to raise in a route: 422 for the rows of a body.

    Attributes:
        errors: What is wrong with the rows.
        refused: A sentence on what did not happen, or nothing.
    """

    def __init__(self, errors: list[RowError], refused: str = "") -> None:
        super().__init__(errors)
        self.errors = errors
        self.refused = refused


async def _wrong_rows(request: Request, error: Exception) -> Response:
    assert isinstance(error, WrongRows)  # noqa: S101 - as above
    first = error.errors[0]
    place = ", ".join([] if first.row is None else [f"row {first.row}", *([first.column] if first.column else [])])
    more = f" ({len(error.errors)} errors are listed)" if len(error.errors) > 1 else ""
    detail = f"{place + ': ' if place else ''}{first.message}{more}. {error.refused}".rstrip()
    return respond(request.scope["path"], 422, detail, errors=error.errors)


async def _server_error(request: Request, _error: Exception) -> Response:
    return server_error(request.scope)


def _parameter_error(found: dict[str, Any]) -> ParameterError:
    unknown = found["type"] == "extra_forbidden"
    message = "This endpoint has no such parameter" if unknown else found["msg"]
    return ParameterError(parameter=str(found["loc"][-1]), message=message)
