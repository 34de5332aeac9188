"""The origin of a URL (RFC 6454): scheme, host and port. Credentials are only sent to the API's own origin."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from airflow_movielens.client.errors import Exchange, FatalError
from airflow_movielens.client.http.secrets import hide_in_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ForeignOriginError(ValueError):
    """A URL leads to an origin other than the API's; the message says what differs and what to do."""


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, parts: SplitResult) -> _Origin:
        return cls(parts.scheme, _one_spelling(parts.hostname or ""), parts.port or _DEFAULT_PORTS.get(parts.scheme))

    def __str__(self) -> str:
        port = "" if self.port in {None, _DEFAULT_PORTS.get(self.scheme)} else f":{self.port}"
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}{port}"


def _one_spelling(host: str) -> str:
    """A host as its shortest IPv6 address or its ASCII name, without the dot at its end."""
    try:
        return ip_address(host).compressed
    except ValueError:
        pass
    try:
        return host.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        return host


def is_same_origin(url: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port.

    Raises:
        ValueError: One is not a URL.
    """
    return _Origin.of(urlsplit(url)) == _Origin.of(urlsplit(other))


def join_on_origin(base: str, target: str) -> str:
    """Resolve a link or redirect that an API sent, on the origin of the URL that was asked.

    An API behind a proxy that terminates TLS may not know that it is reached by https: it writes ``http`` and a port of
    its own into its URLs. On the same host, such a URL is taken as https, at the port of ``base``.

    Args:
        base: The URL that was asked.
        target: The URL that the API sent, absolute or relative.

    Returns:
        The absolute URL, without credentials and fragment.

    Raises:
        ForeignOriginError: It leads to another origin.
        ValueError: It is not a URL.
    """
    ours, parts = urlsplit(base), urlsplit(urljoin(base, target))
    here, there = _Origin.of(ours), _Origin.of(parts)
    is_downgrade = here.host == there.host and (here.scheme, there.scheme) == ("https", "http")
    if here != there and not is_downgrade:
        raise ForeignOriginError(_refusal(here, there))
    return parts._replace(scheme=ours.scheme, netloc=ours.netloc, fragment="").geturl()


def _refusal(here: _Origin, there: _Origin) -> str:
    if here.host == there.host and (here.scheme, there.scheme) == ("http", "https"):
        return f"{there}: set the schema to https, or {there} as the API's address"
    differing = [name for name in _Origin._fields if getattr(here, name) != getattr(there, name)]
    verb = "differs" if len(differing) == 1 else "differ"
    message = (
        f"{there}, whose {' and '.join(differing)} {verb} from {here}, so no credentials were sent there. An API "
        "behind a proxy must honor X-Forwarded-Proto and X-Forwarded-Host, or send relative URLs"
    )
    is_less_safe = (here.scheme, there.scheme) == ("https", "http")
    return (
        message
        if is_less_safe or there.scheme not in _DEFAULT_PORTS
        else f"{message}. If you trust {there}, set it as the API's address"
    )


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
