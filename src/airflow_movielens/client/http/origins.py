"""Origins of URLs (RFC 6454: scheme, host and port), and the links and redirects that may be followed.

Credentials are only sent to the API's own origin.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from airflow_movielens.client.errors import Exchange, FatalError
from airflow_movielens.client.http.masking import hide_in_url

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REDIRECTS = 5
LONGEST_URL = 8000
"""Characters that every server accepts (RFC 9110, section 4.1). Links are kept in checkpoints."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


class ForeignOriginError(ValueError):
    """A URL leads to another origin than the API's, or may be read as one that does; the message says why."""


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> _Origin:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
        return cls(parts.scheme, _normalized(parts.hostname or ""), port)

    def __str__(self) -> str:
        port = "" if self.port in {None, _DEFAULT_PORTS.get(self.scheme)} else f":{self.port}"
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}{port}"


def _normalized(host: str) -> str:
    """Return a host as its shortest IPv6 address or its ASCII name, without a trailing dot."""
    try:
        return ip_address(host).compressed
    except ValueError:
        pass
    try:
        return host.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        return host


def same_origin(url: str, other: str) -> bool:
    """Return whether two URLs have the same scheme, host and port.

    Raises:
        ValueError: A text is not a URL.
    """
    return _Origin.of(url) == _Origin.of(other)


def join_on_origin(base: str, target: str) -> str:
    """Resolve a link or redirect that an API sent, and keep it on the origin of the requested URL.

    An API behind a proxy that terminates TLS may not know that it is reached by https: it writes ``http`` and its own
    port into its URLs. On the same host, such a URL is taken as https, at the port of ``base``.

    Args:
        base: The requested URL.
        target: The URL that the API sent, absolute or relative.

    Returns:
        The absolute URL, without credentials and fragment.

    Raises:
        ForeignOriginError: The target has another origin, or its path begins with two slashes: without scheme and host,
            the first part of the path would be a host.
        ValueError: The target is not a URL, or is longer than `LONGEST_URL`.
    """
    if len(target) > LONGEST_URL:
        raise ValueError(f"it has {len(target):,} characters, at most {LONGEST_URL:,} are followed")
    joined = urljoin(base, target)
    if not same_origin(joined, base) and not _is_downgrade(base, joined):
        raise ForeignOriginError(_refusal(_Origin.of(base), _Origin.of(joined)))
    ours, path = urlsplit(base), urlsplit(joined).path
    if path.replace("\\", "/").startswith("//"):
        raise ForeignOriginError(f"{hide_in_url(joined)}, whose path begins with two slashes, as a host does")
    return urlsplit(joined)._replace(scheme=ours.scheme, netloc=ours.netloc, fragment="").geturl()


def _is_downgrade(base: str, joined: str) -> bool:
    here, there = _Origin.of(base), _Origin.of(joined)
    return here.host == there.host and (here.scheme, there.scheme) == ("https", "http")


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


def redirect_target(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Return the absolute URL, without credentials, to which a response redirects.

    Args:
        url: The requested URL.
        status: The response's status code.
        headers: The response's headers, with names looked up in any case.

    Returns:
        The URL; None if the response is not a redirect.

    Raises:
        FatalError: The redirect leads to another origin (see `join_on_origin`), or its target is not a URL.
    """
    location = headers.get("Location")
    if status not in _REDIRECTS or not location:
        return None
    # Headers arrive as Latin-1, but a URL in a header may be UTF-8.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    exchange = Exchange("GET", hide_in_url(url), status)
    try:
        return join_on_origin(url, location)
    except ForeignOriginError as error:
        raise FatalError(f"the API redirects to {error}", exchange) from None
    except ValueError:
        raise FatalError("the API redirects to a Location that is not a URL", exchange) from None
