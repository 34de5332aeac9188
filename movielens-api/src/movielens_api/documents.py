"""Whole answers that a browser may keep, and gets again only when they have changed."""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from movielens_api.etags import etag, matches


class Document:
    """A body, its headers, and a tag made from the body.

    Args:
        body: the whole answer.
        media_type: of the body.
        headers: further headers.
    """

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        self.body = body
        self.media_type = media_type
        self.headers = {**headers, "Cache-Control": "private, no-cache", "ETag": etag(body)}

    def respond(self, request: Request) -> Response:
        """Answer with the body, or with 304 if the browser has it."""
        if matches(",".join(request.headers.getlist("if-none-match")), self.headers["ETag"]):
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, headers=self.headers, media_type=self.media_type)
