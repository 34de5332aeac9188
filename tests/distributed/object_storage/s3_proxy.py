"""A proxy before a server of S3, which records the requests and can disturb them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

# What S3's requests are called, by method and query.
_NAMES = [
    ("GET", "list-type", "list"),
    ("GET", "uploads", "list-uploads"),
    ("POST", "delete", "delete-many"),
    ("POST", "uploads", "create-upload"),
    ("POST", "uploadId", "complete-upload"),
    ("PUT", "partNumber", "upload-part"),
    ("DELETE", "uploadId", "abort-upload"),
]
_OF_A_CONNECTION = {"transfer-encoding", "connection", "content-length", "date", "server"}


@dataclass(frozen=True)
class Request:
    """A request to S3: what it does, to which bucket and key."""

    name: str
    bucket: str
    key: str
    headers: dict[str, str]

    @classmethod
    def of(cls, method: str, target: str, headers: dict[str, str]) -> Request:
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        name = next((name for verb, part, name in _NAMES if verb == method and part in query), method.lower())
        return cls(name, bucket, key or query.get("prefix", [""])[0], headers)

    def __str__(self) -> str:
        return f"{self.name} {self.key}"


@dataclass
class S3Proxy:
    """The proxy.

    Attributes:
        endpoint: Its URL.
        requests: The requests that have arrived.
        answer: Called with each request before it is passed on: a status and an S3 error code, or a whole body, to
            return instead, or None. It may wait.
        is_cut: Called with each request; whether only half of the answer's body arrives.
        after: Called with each request after S3 has answered it, before the answer is passed on; as `answer`.
    """

    endpoint: str
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], tuple[int, str] | None] = lambda _: None
    after: Callable[[Request], tuple[int, str] | None] = lambda _: None
    is_cut: Callable[[Request], bool] = lambda _: False

    def reset(self) -> None:
        """Forget the requests, and disturb nothing."""
        self.requests, self.answer, self.after, self.is_cut = [], lambda _: None, lambda _: None, lambda _: False

    def names(self, key: str = "") -> list[str]:
        """Return the names of the requests to keys that match."""
        return [request.name for request in self.requests if re.search(key, request.key)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: S3Proxy
    backend: int

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def pass_on(self) -> None:
        proxy, body = self.server.proxy, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request.of(self.command, self.path, dict(self.headers))
        proxy.requests.append(request)
        refusal = proxy.answer(request)
        if refusal is None:
            response, content = self.ask(body)
            refusal = proxy.after(request)
        if refusal is not None:
            self.refuse(*refusal)
            return
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        size = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        if proxy.is_cut(request):
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815 - the names that http.server calls

    def ask(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        with closing(HTTPConnection("127.0.0.1", self.server.backend)) as backend:
            backend.request(self.command, self.path, body, headers)
            response = backend.getresponse()
            return response, response.read()

    def refuse(self, status: int, code: str) -> None:
        error = f"<Error><Code>{code}</Code><Message>{code} of the test</Message></Error>"
        content = (code if code.startswith("<") else error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy_before(port: int) -> Iterator[S3Proxy]:
    """Run a proxy before the S3 of a local port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.proxy, server.backend = S3Proxy(f"http://127.0.0.1:{server.server_port}"), port
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.proxy
        server.shutdown()
