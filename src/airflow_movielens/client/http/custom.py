"""Custom transports: functions that respond to requests instead of a server, for tests without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

CustomTransport = Callable[[str, Mapping[str, str]], tuple[int, Mapping[str, str], bytes]]
"""A function that takes the URL and headers of a GET request, and returns a response's status, headers and body."""


class CustomPool:
    """A pool whose requests are passed to a custom transport.

    Args:
        respond: The custom transport.
    """

    def __init__(self, respond: CustomTransport) -> None:
        self._respond = respond

    def urlopen(self, method: str, url: str, headers: Mapping[str, str], **_: Any) -> BaseHTTPResponse:
        """Return the custom transport's response as urllib3 returns a server's."""
        from urllib3 import HTTPResponse

        status, sent, body = self._respond(url, headers)
        return HTTPResponse(
            BytesIO(body),
            {"Content-Length": str(len(body)), **sent},
            status,
            preload_content=False,
            decode_content=False,
            request_method=method,
        )

    def close(self) -> None:
        """Do nothing: there are no connections."""
