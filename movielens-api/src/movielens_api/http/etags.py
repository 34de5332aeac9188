"""Entity tags: whether a client already has a response (RFC 9110, sections 8.8.3 and 13.1.2)."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

import polars as pl
from starlette.responses import Response

from movielens_api import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

# Another version may encode the same rows differently.
_WRITER = f"movielens-api {__version__}, polars {pl.__version__}"
_OPAQUE = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def etag(*parts: object) -> str:
    """Return a strong entity tag for a response that depends on nothing but the given parts."""
    return f'"{blake2b(repr((_WRITER, *parts)).encode(), digest_size=12).hexdigest()}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Return whether an ``If-None-Match`` header contains the tag, by weak comparison as the RFC demands."""
    return if_none_match.strip() == "*" or tag in _OPAQUE.findall(if_none_match)


class Document:
    """A response body with its headers and an entity tag.

    Args:
        body: The whole body.
        media_type: The media type of the body.
        headers: Further headers.
    """

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        self.body = body
        self.media_type = media_type
        self.headers = {**headers, "Cache-Control": "private, no-cache", "ETag": etag(body)}

    def respond(self, request: Request) -> Response:
        """Respond with the body, or with 304 if the browser has it."""
        if matches(",".join(request.headers.getlist("if-none-match")), self.headers["ETag"]):
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, headers=self.headers, media_type=self.media_type)
