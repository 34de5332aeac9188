"""A small HTTP server whose responses a test scripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_REQUESTS = 1000


@dataclass
class Response:
    """One HTTP response; a body that is not bytes is sent as JSON. A close-delimited one is of HTTP/1.0."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    is_close_delimited: bool = False

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[str, dict[str, str], int], Response]
"""(path, query parameters, number of the request from 0) -> response"""


@dataclass
class ScriptedServer:
    base_url: str
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@contextmanager
def serve(script: Script) -> Iterator[ScriptedServer]:
    """Run a server on a free loopback port that responds by ``script`` and records the requests."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write per response

        def do_GET(self) -> None:
            path, query = urlsplit(self.path)[2:4]
            with lock:
                number = len(server.requests)
                server.requests.append((path, dict(parse_qsl(query)), dict(self.headers)))
            # An endless loop of requests must fail its test, not hang it.
            response = script(path, dict(parse_qsl(query)), number) if number < MAX_REQUESTS else Response({}, 400)
            body = response.encoded()
            self.protocol_version = "HTTP/1.0" if response.is_close_delimited else "HTTP/1.1"
            self.send_response(response.status)
            for name, value in {"Content-Type": "application/json", **response.headers}.items():
                self.send_header(name, value)
            if not response.is_close_delimited:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: response.cut_after])
            self.wfile.flush()
            self.close_connection = response.cut_after is not None or response.is_close_delimited

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = ScriptedServer(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


DAY = 86_400


def rating(number: int) -> dict[str, Any]:
    """Return the ``number``-th of a series of ratings in canonical order, all on 1970-01-02."""
    return {"userId": number % 7 + 1, "movieId": number + 1, "rating": 3.5, "timestamp": DAY + number // 3 * 10}


def ratings(count: int) -> list[dict[str, Any]]:
    rows = [rating(number) for number in range(count)]
    return sorted(rows, key=lambda row: (row["timestamp"], row["userId"], row["movieId"]))


def _lies_in(row: Any, query: dict[str, str]) -> bool:
    timestamp = row.get("timestamp") if isinstance(row, dict) else None
    if not isinstance(timestamp, int):
        return True
    start, end = (query.get(name) for name in ("start_date", "end_date"))
    return (not start or midnight(start) <= timestamp) and (not end or timestamp < midnight(end))


def midnight(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def page_of(rows: list[dict[str, Any]], query: dict[str, str], **changes: Any) -> Response:
    """Return the page of a correct server, with ``changes`` to its envelope (None removes a key)."""
    rows = [row for row in rows if _lies_in(row, query)]
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
    envelope = {"result": rows[offset : offset + limit], "offset": offset, "limit": limit, "total": len(rows)} | changes
    return Response({name: value for name, value in envelope.items() if value is not None})
