"""A GET over a connection that is already open, for the responses that nearly all requests get.

For each request, urllib3 and Python's HTTP write the same headers, and parse those of the response like those of an
e-mail, which takes longer than all else. Here, the bytes of the headers are those of the request before, and the usual
headers of a response are read with a regular expression. Any other response is left to Python's HTTP.
"""

from __future__ import annotations

import re
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, cast

from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import IncompleteRead, ProtocolError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedReader

    from urllib3 import BaseHTTPResponse, Timeout

_TARGET = re.compile(r"/(?:[\w/?&=.~:,+-]|%[0-9A-F]{2})*", re.ASCII)
"""A path and a query that urllib3 sends as they are."""
_LINE = rb"[\w!#$%&'*+.^`|~-]+: ?[!-~](?:[ -~]*[!-~])?\r\n"
_HEAD = re.compile(rb"HTTP/1\.1 200(?: [ -~]*)?\r\n((?:%b){1,100})\r\n" % _LINE, re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_UNUSUAL = ("Transfer-Encoding", "Content-Encoding", "Connection")
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")


def send_get(pool: HTTPConnectionPool, target: str, headers: Mapping[str, str], timeout: Timeout) -> BaseHTTPResponse:
    """Send a GET request, and return its response with the body unread.

    Raises:
        urllib3.exceptions.HTTPError: No response came; see `HTTPConnectionPool.urlopen`.
        OSError: The connection broke.
    """
    if isinstance(pool, KeepAlivePool) and (response := pool.get_again(target, headers, timeout)) is not None:
        return response
    response = pool.urlopen(
        "GET",
        target,
        headers=headers,
        timeout=timeout,
        retries=False,
        redirect=False,
        assert_same_host=False,
        preload_content=False,
        decode_content=False,
    )
    if isinstance(pool, KeepAlivePool):
        pool.remember(headers, response)
    return response


class KeepAlivePool(HTTPConnectionPool):
    """A pool whose connections keep the headers that they sent last, as bytes, in ``sent``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: dict[tuple[str, ...], bytes] = {}

    def remember(self, headers: Mapping[str, str], response: BaseHTTPResponse) -> None:
        """Keep the bytes of the headers with which this response was requested."""
        connection: Any = response.connection
        # With a proxy, they depend on more than these headers.
        if connection is not None and self.proxy is None:
            self._sent[tuple(headers.values())] = connection.sent.partition(b"\r\n")[2]

    def get_again(self, target: str, headers: Mapping[str, str], timeout: Timeout) -> BaseHTTPResponse | None:
        """Send a GET request over an open connection; return None if this is not possible.

        Raises:
            urllib3.exceptions.HTTPError: The response did not arrive in time, or is not HTTP.
            OSError: The connection broke.
        """
        sent = self._sent.get(tuple(headers.values()))
        if sent is None or not _TARGET.fullmatch(target):
            return None
        connection: Any = self._get_conn()
        if connection.sock is None:
            self._put_conn(connection)
            return None
        try:
            connection.sock.settimeout(timeout.connect_timeout)
            connection.send_again(b"GET %b HTTP/1.1\r\n%b" % (target.encode(), sent))
            connection.sock.settimeout(timeout.read_timeout)
            return self._response(connection)
        except BaseException as error:
            connection.close()
            self._put_conn(connection)
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(self, target, "the response did not arrive in time") from error
            if isinstance(error, HTTPException):
                raise ProtocolError("Connection aborted.", error) from error
            raise

    def _response(self, connection: Any) -> BaseHTTPResponse:
        received = connection.response_class(connection.sock, method="GET")
        try:
            head = _HEAD.match(received.fp.peek())
            headers = None if head is None else _usual(head[1])
            if head is not None and headers is not None:
                file, received.fp = received.fp, None  # which it would close
                file.read(head.end())
                return cast("BaseHTTPResponse", UsualResponse(headers, file, connection, self))
            received.begin()
            if received.will_close:
                # As http.client does: the response keeps the socket until its end.
                connection.close()
            return HTTPResponse(
                received,
                HTTPHeaderDict((name, _FOLD.sub(" ", value)) for name, value in received.msg.items()),
                received.status,
                received.version,
                reason=received.reason,
                preload_content=False,
                decode_content=False,
                original_response=received,
                pool=self,
                connection=connection,
                request_method="GET",
            )
        except BaseException:
            received.close()
            raise


def _usual(lines: bytes) -> HTTPHeaderDict | None:
    """Return the headers of a response with a body of known length after which the connection stays open."""
    headers = HTTPHeaderDict()
    for line in lines.decode("ascii").splitlines():
        name, _, value = line.partition(":")
        headers.add(name, value.lstrip())
    is_usual = _LENGTH.fullmatch(headers.get("Content-Length", "")) and not any(name in headers for name in _UNUSUAL)
    return headers if is_usual else None


class UsualResponse:
    """A successful response with a body of known length, and with what the client uses of urllib3's responses.

    Attributes:
        headers: The headers, with names looked up in any case.
        length_remaining: How many bytes of the body are not read yet.
    """

    status = 200
    chunked = False

    def __init__(self, headers: HTTPHeaderDict, file: BufferedReader, connection: Any, pool: KeepAlivePool) -> None:
        self.headers = headers
        self.length_remaining = self._length = int(headers["Content-Length"])
        self._file = file
        self._connection = connection
        self._pool = pool

    def read(self, amt: int, *, decode_content: bool = False) -> bytes:
        """Read so many bytes of the body; fewer only at its end, or if the connection is closed before."""
        return self._read(self._file.read, amt, decode_content=decode_content)

    def read1(self, amt: int, *, decode_content: bool = False) -> bytes:
        """Read at most so many bytes of the body, as soon as any have arrived; none at its end."""
        return self._read(self._file.read1, amt, decode_content=decode_content)

    def _read(self, read: Callable[[int], bytes], amt: int, *, decode_content: bool) -> bytes:
        assert not decode_content  # noqa: S101 -- it has no Content-Encoding
        amt = min(amt, self.length_remaining)
        try:
            data = read(amt) if amt else b""
        except TimeoutError as error:
            raise ReadTimeoutError(self._pool, "", "the body did not arrive in time") from error
        if amt and not data:
            raise IncompleteRead(self._length - self.length_remaining, self.length_remaining)
        self.length_remaining -= len(data)
        if not self.length_remaining:
            self.release_conn()
        return data

    def close(self) -> None:
        """Close the connection, unless the whole body was read."""
        if self.length_remaining and self._connection is not None:
            self._connection.close()

    def release_conn(self) -> None:
        """Put the connection back into the pool, for the next request."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._file.close()
            self._pool._put_conn(connection)
