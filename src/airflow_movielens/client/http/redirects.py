"""Redirects: followed on the API's own origin only, because any other would receive the credentials."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import Exchange, FatalError
from airflow_movielens.client.http.origins import ForeignOriginError, join_on_origin
from airflow_movielens.client.http.secrets import hide_in_url

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_REDIRECTS = 5

_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


def redirect_target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """The absolute URL without credentials that a response redirects to; None if it is not a redirect.

    Args:
        url: The URL asked.
        status: The answer's status.
        headers: Its headers, looked up whatever their case.

    Raises:
        FatalError: It leads to another origin (see `join_on_origin`), or is not a URL.
    """
    location = headers.get("Location")
    if status not in _REDIRECTS or not location:
        return None
    # Headers arrive as Latin-1, but a URL in one may be UTF-8.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    exchange = Exchange("GET", hide_in_url(url), status)
    try:
        return join_on_origin(url, location)
    except ForeignOriginError as error:
        raise FatalError(f"the API redirects to {error}", exchange) from None
    except ValueError:
        raise FatalError("the API redirects to what is not a URL", exchange) from None
