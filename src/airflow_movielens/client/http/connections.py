"""Connections whose sockets are known to the request in flight, so that it can be cut off."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from errno import EINPROGRESS
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected, parse_headers
from typing import TYPE_CHECKING, Any, BinaryIO

from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HeaderParsingError, NameResolutionError, NewConnectionError
from urllib3.util.response import assert_header_parsing
from urllib3.util.wait import wait_for_write

from airflow_movielens.client.http.kept_alive import KeepAlivePool
from airflow_movielens.client.http.timeouts import request_being_sent

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from airflow_movielens.client.http.timeouts import InFlight


_INTERIM = range(102, 200)


class _Head:
    """The lines before a body, which must be complete; Python's HTTP accepts truncated headers."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_http = False

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._is_http = self._is_http or line.startswith(b"HTTP/")
        if (self._is_http or not line) and not line.endswith(b"\n") and len(line) < limit:
            raise RemoteDisconnected("the connection was closed before the end of the headers")
        return line

    def close(self) -> None:
        self._file.close()


class _CarefulResponse(HTTPResponse):
    def begin(self) -> None:
        file = self.fp
        self.fp = _Head(file)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = self.fp and file
        # The lines after it would be ignored, and urllib3 would log it as it is, even if it holds a credential.
        if _has_other_lines(self.msg):
            raise HTTPException("a line among its headers is not a header")

    def _read_status(self) -> tuple[str, int, str]:
        # Python's HTTP skips 100 only, but others, such as 103 Early Hints, precede a response, too (RFC 9110, 15.2).
        version, status, reason = super()._read_status()  # type: ignore[misc]
        while status in _INTERIM:
            parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, status, reason

    def _safe_read(self, amt: int) -> bytes:
        # A chunk with a size of -1 would be read into memory up to the end of the connection.
        if amt < 0:
            raise IncompleteRead(b"")
        return super()._safe_read(amt)  # type: ignore[misc, no-any-return]


def _has_other_lines(headers: HTTPMessage) -> bool:
    try:
        assert_header_parsing(headers)
    except HeaderParsingError:
        return True
    return False


class _CuttableConnection(HTTPConnection):
    response_class = _CarefulResponse

    def _new_conn(self) -> socket.socket:
        request = request_being_sent()
        return super()._new_conn() if request is None else _connect(self, request)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._use_socket()
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        self.sent = data
        super().send(data)

    def send_again(self, data: bytes) -> None:
        """Send a whole request over the open connection."""
        self._use_socket()
        # As urllib3 does: the server may have responded before it closed the connection.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def _use_socket(self) -> None:
        request = request_being_sent()
        if request is not None and self.sock is not None:
            request.use(self.sock)


class _CuttableHTTPSConnection(_CuttableConnection, HTTPSConnection):
    pass


class _CuttablePool(KeepAlivePool):
    ConnectionCls = _CuttableConnection


class _CuttableHTTPSPool(KeepAlivePool, HTTPSConnectionPool):
    ConnectionCls = _CuttableHTTPSConnection


CUTTABLE_POOLS = {"http": _CuttablePool, "https": _CuttableHTTPSPool}


def _connect(connection: HTTPConnection, request: InFlight) -> socket.socket:
    """Connect as urllib3 does, but let the wait for the connection be cut off (not the lookup of the name)."""
    try:
        found = socket.getaddrinfo(connection._dns_host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    problem: OSError = OSError("the host's name has no address")
    for family, kind, protocol, _, address in found:
        try:
            return _connect_to(address, socket.socket(family, kind, protocol), connection, request)
        except OSError as error:
            problem = error
    if isinstance(problem, TimeoutError):
        raise ConnectTimeoutError(connection, f"no connection in {connection.timeout:g} s") from problem
    raise NewConnectionError(connection, str(problem)) from problem


def _connect_to(address: Any, to: socket.socket, connection: HTTPConnection, request: InFlight) -> socket.socket:
    try:
        for option in connection.socket_options or ():
            to.setsockopt(*option)
        to.setblocking(False)  # noqa: FBT003
        begun = to.connect_ex(address)
        request.use(to)  # only a socket that is connecting can be shut down
        if begun == EINPROGRESS and not wait_for_write(to, connection.timeout):
            raise TimeoutError("no connection in time")
        if problem := (to.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if begun == EINPROGRESS else begun):
            raise OSError(problem, os.strerror(problem))
        to.settimeout(connection.timeout)
    except BaseException:
        to.close()
        raise
    return to
