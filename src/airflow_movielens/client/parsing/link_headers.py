"""The headers ``Link`` (RFC 8288) and ``Link-Template`` (RFC 9652)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_movielens.client.errors import Exchange, FatalError
from airflow_movielens.client.http.origins import ForeignOriginError, join_on_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINK = re.compile(rf"[\s,]*(?:<([^>]*)>|{_QUOTED})")
_PARAMETER = re.compile(rf"\s*;\s*([^\s=;,\"]+)(?:\s*=\s*(?:{_QUOTED}|([^\s;,\"]*)))?")
_SECTION = "{&offset,limit}"


def find_link(header: str, relation: str, base: str, exchange: Exchange) -> str | None:
    """Find the target of a relation in a ``Link`` header.

    Args:
        header: The header's value, in which commas separate links and the values of repeated headers.
        relation: A relation, such as ``next``.
        base: The URL of the response, to which targets are relative.
        exchange: The request and its response, for error messages.

    Returns:
        The absolute URL of the target; None if there is no such link. If the path of ``base`` ends with the target's
        path, a proxy has removed the prefix, so it is added again.

    Raises:
        FatalError: The target has another origin (see `join_on_origin`), which must not receive the credentials.
    """
    targets = (target for target, relations in _links(header) if relation in relations)
    target = next(targets, None)
    return None if target is None else _resolve(target, base, exchange)


def find_section_template(header: str, base: str, exchange: Exchange) -> str | None:
    """Find the template of relation ``section`` in a ``Link-Template`` header.

    Returns:
        The absolute URL to which ``&offset=…&limit=…`` can be appended; None if no template ends in
        ``{&offset,limit}``.

    Raises:
        FatalError: The target has another origin.
    """
    for template, relations in _links(header):
        url = template.removesuffix(_SECTION)
        if "section" in relations and url != template and "?" in url and not re.search(r"[{}#]", url):
            return _resolve(url, base, exchange)
    return None


def _links(header: str) -> Iterator[tuple[str, set[str]]]:
    """Yield targets and their relations, up to the first unreadable one; links with another context are skipped."""
    place = 0
    while link := _LINK.match(header, place):
        place = link.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, place):
            place = parameter.end()
            name, quoted, bare = parameter.groups()
            # Only the first parameter of a name counts (RFC 8288, section 3).
            parameters.setdefault(name.lower(), bare or "" if quoted is None else _unescaped(quoted))
        if "anchor" not in parameters:
            target, template = link.groups()
            yield _unescaped(template) if target is None else target, set(parameters.get("rel", "").lower().split())


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _with_prefix(url: str, base: str) -> str:
    """Restore the path prefix that a proxy removed from the request, so that the API does not know it."""
    parts, asked = urlsplit(url), urlsplit(base).path
    return parts._replace(path=asked).geturl() if asked.endswith(parts.path) else url


def _resolve(target: str, base: str, exchange: Exchange) -> str:
    try:
        return _with_prefix(join_on_origin(base, target.strip()), base)
    except ForeignOriginError as error:
        raise FatalError(f"the API links to {error}", exchange) from None
    except ValueError as error:
        raise FatalError(f"the API links to an address that cannot be read ({error})", exchange) from error
