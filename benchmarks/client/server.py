"""A ratings API with minimal cost, so that a benchmark measures its clients.

`/plain/ratings` supports JSON, `offset`, `limit` and `total`. `/slow/ratings` does too, with a latency.
`/full/ratings` also streams Arrow and advertises sections, as `movielens-api` does.

Run it: `python -m benchmarks.client.server FOLDER PORT MILLISECONDS`.
"""

from __future__ import annotations

import socketserver
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

from benchmarks.client.dataset import ARROW, Dataset
from benchmarks.client.pages import Page, Part, json_page
from movielens_api.formats import FORMATS, ROWS_PER_CHUNK

# Each takes 20 bytes per rating; `cases` has fewer windows and first pages.
CACHED_STREAMS = 8


class Api(socketserver.ThreadingTCPServer):
    """A server on a loopback port, with a thread for each connection.

    Args:
        dataset: The ratings to serve.
        port: The port to listen on.
        latency: The seconds that ``/slow`` takes for each response.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, dataset: Dataset, port: int, latency: float) -> None:
        self.dataset, self.latency = dataset, latency
        self.arrow_stream = lru_cache(CACHED_STREAMS)(self._arrow_stream)
        super().__init__(("127.0.0.1", port), Connection)

    def _arrow_stream(self, start: int, stop: int) -> list[Part]:
        rows = self.dataset.ratings.slice(start, stop - start)
        return list(FORMATS[ARROW].stream(rows.iter_slices(ROWS_PER_CHUNK)))


class Connection(socketserver.StreamRequestHandler):
    """The connection of a client, with its requests."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Respond until the client disconnects."""
        with suppress(ConnectionError):
            while head := self._head():
                self._respond(*head)

    def _head(self) -> tuple[str, bytes] | None:
        """Read a request, and return its target and ``Accept`` header."""
        words = self.rfile.readline().decode().split()
        self.arrived = time.monotonic()
        accept = b""
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"accept:"):
                accept = line[len(b"accept:") :].strip()
        return (words[1], accept) if words else None

    def _respond(self, target: str, accept: bytes) -> None:
        api, url = cast("Api", self.server), urlsplit(target)
        variant, _, resource = url.path.strip("/").partition("/")
        if resource != "ratings" or variant not in {"plain", "slow", "full"}:
            self._send([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
            return
        page = Page.from_query(parse_qs(url.query), api.dataset)
        headers = list(_headers(page)) if variant == "full" else []
        # A client that lists Arrow first prefers it.
        if variant == "full" and accept.startswith(ARROW.encode()):
            parts = api.arrow_stream(*page.rows(page.end - page.first))
            self._send_in_chunks(parts, [*headers, b"Content-Type: " + ARROW.encode()])
        else:
            parts = json_page(page, api.dataset)
            length = b"Content-Length: %d" % sum(map(len, parts))
            if variant == "slow":
                # The latency includes our own work.
                time.sleep(max(self.arrived + api.latency - time.monotonic(), 0))
            self._send([_head([*headers, b"Content-Type: application/json", length]), *parts])

    def _send_in_chunks(self, parts: Iterable[Part], headers: list[bytes]) -> None:
        self._send([_head([*headers, b"Transfer-Encoding: chunked"])])
        for part in parts:
            self._send([b"%x\r\n" % len(part), part, b"\r\n"])
        self._send([b"0\r\n\r\n"])

    def _send(self, parts: list[Part]) -> None:
        sent = self.connection.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                self.connection.sendall(memoryview(part)[sent:])
            sent = max(sent - len(part), 0)


def _head(headers: list[bytes]) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"\r\n"])


def _headers(page: Page) -> Iterator[bytes]:
    yield b"Snapshot: the-only-one"
    yield b"X-Total-Count: %d" % (page.end - page.first)
    if page.rows(page.end - page.first)[1] < page.end:
        yield b'Link-Template: "?cursor=%d-%d{&offset,limit}"; rel="section"' % (page.first, page.end)


def main() -> None:
    """Serve until the process is stopped."""
    folder, port, milliseconds = sys.argv[1:]
    with Api(Dataset(Path(folder)), int(port), int(milliseconds) / 1000) as api:
        api.serve_forever()


if __name__ == "__main__":
    main()
