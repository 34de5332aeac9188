"""A ratings API that costs next to nothing, so that its clients are what is measured.

`/plain/ratings` knows JSON, `offset`, `limit` and `total`; `/slow/ratings` does too, and takes its time;
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

# 20 bytes for each rating of a window; as many as there are windows and first pages in `cases`.
STREAMS_REMEMBERED = 8


class Api(socketserver.ThreadingTCPServer):
    """Listens on a port of this computer, with a thread for each connection.

    Args:
        dataset: what it serves.
        port: where it listens.
        latency: how many seconds `/slow` waits before each answer.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, dataset: Dataset, port: int, latency: float) -> None:
        self.dataset, self.latency = dataset, latency
        self.arrow_stream = lru_cache(STREAMS_REMEMBERED)(self._arrow_stream)
        super().__init__(("127.0.0.1", port), Connection)

    def _arrow_stream(self, start: int, stop: int) -> list[Part]:
        rows = self.dataset.ratings.slice(start, stop - start)
        return list(FORMATS[ARROW].stream(rows.iter_slices(ROWS_PER_CHUNK)))


class Connection(socketserver.StreamRequestHandler):
    """One client that asks again and again."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the client goes."""
        with suppress(ConnectionError):
            while head := self._head():
                self._answer(*head)

    def _head(self) -> tuple[str, bytes] | None:
        """Read a request: its target and what it accepts."""
        words = self.rfile.readline().decode().split()
        self.arrived = time.monotonic()
        accept = b""
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"accept:"):
                accept = line[len(b"accept:") :].strip()
        return (words[1], accept) if words else None

    def _answer(self, target: str, accept: bytes) -> None:
        api, url = cast("Api", self.server), urlsplit(target)
        knowledge, _, resource = url.path.strip("/").partition("/")
        if resource != "ratings" or knowledge not in {"plain", "slow", "full"}:
            self._send([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
            return
        page = Page.asked_for(parse_qs(url.query), api.dataset)
        headers = list(_headers(page)) if knowledge == "full" else []
        # Whoever accepts Arrow among others likes it best.
        if knowledge == "full" and accept.startswith(ARROW.encode()):
            parts = api.arrow_stream(*page.rows(page.end - page.first))
            self._send_in_chunks(parts, [*headers, b"Content-Type: " + ARROW.encode()])
        else:
            parts = json_page(page, api.dataset)
            length = b"Content-Length: %d" % sum(map(len, parts))
            if knowledge == "slow":
                # The latency is all: our own work is part of it.
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
    """Serve until it is stopped."""
    folder, port, milliseconds = sys.argv[1:]
    with Api(Dataset(Path(folder)), int(port), int(milliseconds) / 1000) as api:
        api.serve_forever()


if __name__ == "__main__":
    main()
