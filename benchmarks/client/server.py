"""A ratings API with minimal cost, so that a benchmark measures its clients.

Its paths are like different APIs:

- `/compact/ratings`, `/spaced/ratings` and `/widened/ratings` support `offset`, `limit` and `total`, and send JSON of
  that shape.
- `/slow/ratings` is `/compact/ratings` with a latency.
- `/full/ratings` is `/compact/ratings`, and also streams Arrow and advertises sections, as `movielens-api` does.
- `/requests` is the number of requests for ratings so far.

Responses are made of bytes in memory, and a repeated request costs a look-up.

Run it: `python -m benchmarks.client.server FOLDER PORT MILLISECONDS`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.client.dataset import ARROW, Dataset
from benchmarks.client.pages import Page, Part, json_page
from benchmarks.client.shapes import COMPACT, SHAPES
from movielens_api.formats import FORMATS, ROWS_PER_CHUNK

SLOW, FULL, REQUESTS = "slow", "full", "requests"
END_OF_HEAD = b"\r\n\r\n"
OK, NOT_FOUND = b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found"
# Each takes 20 bytes per rating; `cases` has fewer windows and first pages.
CACHED_STREAMS = 16
# Each takes half a kilobyte; a round has fewer pages.
CACHED_PAGES = 16_384


class Api:
    """Responses to requests.

    Args:
        dataset: The ratings to serve.
        latency: The seconds that ``/slow`` takes for each response.
    """

    def __init__(self, dataset: Dataset, latency: float) -> None:
        self._dataset, self._latency, self._requests = dataset, latency, 0
        self._page = lru_cache(CACHED_PAGES)(self._make_page)
        self._arrow_stream = lru_cache(CACHED_STREAMS)(self._make_arrow_stream)

    def respond(self, head: bytes) -> tuple[list[Part], float]:
        """Return the parts of a response, and the seconds after which to send it."""
        target = head[head.index(b" ") + 1 : head.index(b" HTTP/")].decode()
        path, _, query = target.partition("?")
        variant, _, resource = path.strip("/").partition("/")
        if variant == REQUESTS:
            return _whole([b"%d" % self._requests]), 0
        if resource != "ratings" or variant not in {*SHAPES, SLOW, FULL}:
            return _whole([], NOT_FOUND), 0
        self._requests += 1
        # A client that lists Arrow first prefers it.
        if variant == FULL and b"\naccept: " + ARROW.encode() in head.lower():
            return self._arrow_stream(query), 0
        return self._page(variant, query), self._latency if variant == SLOW else 0

    def _make_page(self, variant: str, query: str) -> list[Part]:
        shape = variant if variant in SHAPES else COMPACT
        page = self._read(query, shape)
        parts = json_page(page, self._dataset, shape)
        return _whole(parts, OK, b"Content-Type: application/json", *(_headers(page) if variant == FULL else ()))

    def _make_arrow_stream(self, query: str) -> list[Part]:
        page = self._read(query, COMPACT)
        start, stop = page.rows(page.end - page.first)
        rows = self._dataset.ratings.slice(start, stop - start)
        content_type = b"Content-Type: " + ARROW.encode()
        parts: list[Part] = [_head(OK, content_type, b"Transfer-Encoding: chunked", *_headers(page))]
        for part in FORMATS[ARROW].stream(rows.iter_slices(ROWS_PER_CHUNK)):
            parts += [b"%x\r\n" % len(part), part, b"\r\n"]
        return [*parts, b"0\r\n\r\n"]

    def _read(self, query: str, shape: str) -> Page:
        # No value has an escaped character.
        return Page.from_query(dict(pair.partition("=")[::2] for pair in query.split("&")), self._dataset, shape)


class Connection(asyncio.Protocol):
    """The connection of a client, with one request at a time.

    Args:
        api: Responds to the requests.
    """

    def __init__(self, api: Api) -> None:
        self._api, self._received = api, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond as soon as a request is complete."""
        self._received += data
        if not self._received.endswith(END_OF_HEAD):
            return
        parts, latency = self._api.respond(self._received)
        self._received = b""
        if latency:
            asyncio.get_running_loop().call_later(latency, self._send, parts)
        else:
            self._send(parts)

    def _send(self, parts: list[Part]) -> None:
        if not self._transport.is_closing():
            self._transport.writelines(parts)


def _whole(parts: list[Part], status: bytes = OK, *headers: bytes) -> list[Part]:
    return [_head(status, b"Content-Length: %d" % sum(map(len, parts)), *headers), *parts]


def _head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + END_OF_HEAD


def _headers(page: Page) -> Iterator[bytes]:
    yield b"Snapshot: the-only-one"
    yield b"X-Total-Count: %d" % (page.end - page.first)
    if page.rows(page.end - page.first)[1] < page.end:
        yield b'Link-Template: "?cursor=%d-%d{&offset,limit}"; rel="section"' % (page.first, page.end)


async def _serve(api: Api, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(api), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until the process is stopped."""
    folder, port, milliseconds = sys.argv[1:]
    uvloop.run(_serve(Api(Dataset(Path(folder)), int(milliseconds) / 1000), int(port)))


if __name__ == "__main__":
    main()
