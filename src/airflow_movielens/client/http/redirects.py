"""Redirects: followed within scheme, host and port; anywhere else would get the credentials."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from airflow_movielens.client.errors import Exchange, FatalError
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
_DEFAULT_PORTS = {"http": 80, "https": 443}


def redirect_target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Where an answer sends us, as an absolute URL without credentials; None if nowhere.

    Args:
        url: The URL asked.
        status: The answer's status.
        headers: Its headers, looked up whatever their case.

    Raises:
        FatalError: To another scheme, host or port, or to no URL at all.
    """
    location = headers.get("Location")
    if status not in _REDIRECTS or not location:
        return None
    # Headers arrive as Latin-1, but a URL in one may be UTF-8.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    exchange = Exchange("GET", hide_in_url(url), status)
    try:
        parts = urlsplit(urljoin(url, location))
        here, there = _origin(urlsplit(url)), _origin(parts)
    except ValueError:
        raise FatalError("the API redirects to what is no URL", exchange) from None
    if here != there:
        raise FatalError(_refusal(here, there), exchange)
    return parts._replace(netloc=urlsplit(url).netloc, fragment="").geturl()


def is_same_origin(url: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port.

    Raises:
        ValueError: One is no URL.
    """
    return _origin(urlsplit(url)) == _origin(urlsplit(other))


_Origin = tuple[str, str, int | None]


def _origin(parts: SplitResult) -> _Origin:
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _refusal(here: _Origin, there: _Origin) -> str:
    scheme, host, port = there
    address = f"{scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS.get(scheme)} else f":{port}")
    if here[:2] == ("http", host) and scheme == "https":
        return f"the API redirects to https: set {address} as its address"
    return (
        f"the API redirects to another host, scheme or port, {address}, which got no credentials: "
        "if you trust it, set that as the API's address"
    )
