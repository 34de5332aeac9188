"""Valid requests with changed bytes, in pieces, several on one connection, and cut off: one HTTP response for each.

What the server takes for requests is compared with another parser, h11: a server that finds more requests in the same
bytes than a proxy before it lets requests be smuggled.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as some
from whole_server_testing import WholeServer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS = 20
ROW = b'{"userId":1,"movieId":2,"rating":4.0,"timestamp":3}'
OWN_ROW = b'{"movieId":2,"rating":4.0,"timestamp":3}'
# What an HTTP parser may refuse, and what only this server refuses.
STATUSES = {200, 201, 304, 400, 401, 403, 404, 405, 406, 408, 410, 413, 415, 421, 422, 426, 429, 431, 501}


@dataclass(frozen=True)
class Template:
    """A valid request without its login."""

    method: str
    target: str
    headers: tuple[str, ...] = ()
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()

    def bytes(self, login: str, cursor: str) -> bytes:
        lines = [f"{self.method} {self.target.replace('CURSOR', cursor)} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"Authorization: {login}", *self.headers]
        body = self.body
        if self.chunks:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in self.chunks) + b"0\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


LAST = (Template("GET", "/healthz", ("Connection: close",)), 0)
AS_JSON, AS_LINES = "Content-Type: application/json", "Content-Type: application/x-ndjson"
TEMPLATES = [
    Template("GET", "/ratings?limit=2&offset=1&start_date=2000-01-01&end_date=2020-01-01"),
    Template("GET", "/ratings?limit=3", ("Accept: text/csv", "Accept-Encoding: gzip, zstd;q=0.5")),
    Template("GET", "/ratings?cursor=CURSOR"),
    Template("GET", "/ratings?cursor=CURSOR&offset=1&limit=2", ('If-None-Match: "a", W/"b"',)),
    Template("HEAD", "/ratings?limit=5", ("Accept: application/vnd.apache.parquet",)),
    Template("POST", "/ratings", (AS_JSON,), b"[" + ROW + b"]"),
    Template("POST", "/ratings", (AS_LINES, "Idempotency-Key: k1"), ROW + b"\n" + ROW + b"\n"),
    Template("POST", "/ratings", (AS_JSON, "Expect: 100-continue"), chunks=(b"[", ROW, b"]")),
    Template("POST", "/ratings", (AS_JSON, "Content-Encoding: gzip"), gzip.compress(b"[" + ROW + b"]", mtime=0)),
    Template("POST", "/recommendations?n=2", (AS_JSON,), b"[" + OWN_ROW + b"]"),
    Template("POST", "/recommendations", (AS_LINES,), chunks=(OWN_ROW + b"\n", OWN_ROW)),
    Template("GET", "/users/1/recommendations?n=3"),
    Template("GET", "/movies/998/similar?n=3"),
    Template("GET", "/movies?limit=2"),
    Template("GET", "/users?limit=2"),
    Template("GET", "/healthz"),
    Template("GET", "/metrics", ("Connection: close",)),
    Template("OPTIONS", "*"),
]
# A response to HEAD cannot be told from one that lacks its body, unless it is known what the server takes for the method.
WITH_BODIES = [each for each in TEMPLATES if each.method != "HEAD"]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\x0b", b" ", b"\t", b":", b" :", b",", b"\xff", b"\x85", b"\xc2\xa0",
    b"Content-Length: 3\r\n", b"Content-Length: +3\r\n", b"Content-Length: 0x3\r\n", b"Content-Length : 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n", b"Transfer_Encoding: chunked\r\n", b"Transfer-Encoding\r\n: chunked\r\n",
    b"TE: trailers\r\n", b"Connection: close\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"0;a=b\r\n\r\n", b"-1\r\n", b"ffffffffffffffff\r\n", b"5 \r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.0", b"HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"Host: b\r\n", b" folded\r\n", b"X: " + b"y" * 17_000 + b"\r\n", b"%00", b"%", b"?", b"#", b"http://127.0.0.1/",
]  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A response as it was received.

    Attributes:
        status: Its status.
        body: Its body, without the framing of HTTP.
    """

    status: int
    body: bytes


class NotHttpError(AssertionError):
    """What was received is not a sequence of whole responses."""


class CutError(NotHttpError):
    """A response ends too early."""


def responses(received: bytes, methods: Sequence[str], *, may_be_cut: bool = False) -> list[Found]:
    """Return the responses in the bytes of a connection.

    Args:
        received: All bytes until the server closed it.
        methods: The methods of the requests, as far as they are known. A response to HEAD has no body.
        may_be_cut: Whether the last response may lack its end, because the client has closed its side.
    """
    found: list[Found] = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end:
            raise NotHttpError(received[:200])
        status_line, *lines = head.split(b"\r\n")
        version, status, _ = status_line.split(b" ", 2)
        if version != b"HTTP/1.1" or not status.isdigit():
            raise NotHttpError(received[:200])
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        if status == b"100":
            received = rest
            continue
        is_head = len(found) < len(methods) and methods[len(found)] == "HEAD"
        try:
            body, received = body_of(fields, rest, is_empty=is_head or status == b"304")
        except CutError:
            if may_be_cut:
                break
            raise
        found.append(Found(int(status), body))
    return found


def body_of(fields: dict[bytes, bytes], rest: bytes, *, is_empty: bool) -> tuple[bytes, bytes]:
    """Return the body of a response, and what follows it."""
    if is_empty:
        return b"", rest
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while True:
            size, end, rest = rest.partition(b"\r\n")
            length = int(size, 16) if end else len(rest)
            if len(rest) < length + 2:
                raise CutError(rest[:200])
            if rest[length : length + 2] != b"\r\n":
                raise NotHttpError(rest[:200])
            body, rest = body + rest[:length], rest[length + 2 :]
            if not length:
                return body, rest
    length = int(fields[b"content-length"])
    if len(rest) < length:
        raise CutError(rest[:200])
    return rest[:length], rest[length:]


def send(server: WholeServer, pieces: Sequence[bytes], *, reset: bool = False, patience: float = SECONDS) -> bytes:
    """Send pieces, and return all that comes back until the server closes.

    Args:
        server: The server.
        pieces: What to send.
        reset: Break off after the pieces instead.
        patience: After so many seconds without data, close the sending side, because the server may wait for more.
    """
    parts = urlsplit(server.url)
    received = b""
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return b""
            connection.settimeout(patience)
            while data := received_within(connection):
                received += data
        except ConnectionError:
            # It was refused before it was sent as a whole.
            pass
    return received


def received_within(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except TimeoutError:
        connection.settimeout(SECONDS)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65_536)


def requests_by_h11(sent: bytes) -> int | None:
    """Return how many requests another parser finds, also if the last one is not complete; None if it refuses one."""
    found = 0
    try:
        # Empty lines before a request are to be ignored (RFC 9112, section 2.2).
        while sent := sent.lstrip(b"\r\n"):
            peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
            peer.receive_data(sent)
            first = peer.next_event()
            found += 1
            if not isinstance(first, h11.Request):
                break
            while not isinstance(each := peer.next_event(), h11.EndOfMessage):
                if each is h11.NEED_DATA:
                    return found
            sent = peer.trailing_data[0]
    except h11.ProtocolError:
        return None
    return found


@some.composite
def streams(
    draw: some.DrawFn, templates: list[Template], *, faults: int
) -> tuple[list[tuple[Template, int]], list[tuple[int, int, int, bytes]]]:
    """Draw requests, each with the number of a login, and changes: a request, a place, bytes to remove and to put."""
    chosen = draw(some.lists(some.tuples(some.sampled_from(templates), some.integers(0, 9)), min_size=1, max_size=3))
    change = some.tuples(
        some.integers(0, len(chosen) - 1),
        some.integers(0, 400),
        some.sampled_from([0, 0, 0, 1, 2, 8, 60]),
        some.sampled_from(TOKENS) | some.binary(max_size=3),
    )
    return chosen, draw(some.lists(change, min_size=min(faults, 1), max_size=faults))


def assembled(
    server: WholeServer, drawn: tuple[list[tuple[Template, int]], list[tuple[int, int, int, bytes]]]
) -> bytes:
    chosen, changes = drawn
    link = server.writer.get("/ratings", limit=2).links["next"]["url"].removeprefix("?cursor=")
    sent = [bytearray(each.bytes(server.logins[login % len(server.logins)].header, link)) for each, login in chosen]
    for number, place, removed, put in changes:
        start = place % (len(sent[number]) + 1)
        sent[number][start : start + removed] = put
    return b"".join(sent)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(content) + 1) for place in places})
    return [content[start:end] for start, end in zip([0, *ends], [*ends, len(content)], strict=True) if start < end]


pieces = some.lists(some.integers(0, 2_000), max_size=3)


@fuzzed
@given(drawn=streams(TEMPLATES, faults=0), places=pieces)
def test_valid_requests_in_any_pieces(
    whole_server: WholeServer,
    drawn: tuple[list[tuple[Template, int]], list[tuple[int, int, int, bytes]]],
    places: list[int],
) -> None:
    sent = [*drawn[0], LAST]
    found = responses(
        send(whole_server, cut(assembled(whole_server, (sent, [])), places)), [each.method for each, _ in sent]
    )
    closing = next(number for number, (each, _) in enumerate(sent, 1) if "Connection: close" in each.headers)
    for (each, login), response in zip(sent[:closing], found, strict=True):
        assert response.status in expected(each, may_write=whole_server.logins[login % 5].may_write), (each, response)


def expected(each: Template, *, may_write: bool) -> set[int]:
    if each.target == "/ratings" and each.method == "POST" and not may_write:
        return {403}
    if any("gzip" in header and "Content" in header for header in each.headers):
        return {415}
    if each.target == "*":
        return {404, 405}
    return {201} if each.target == "/ratings" and each.method == "POST" else {200}


@fuzzed
@given(drawn=streams(WITH_BODIES, faults=3), places=pieces)
def test_changed_bytes(
    whole_server: WholeServer,
    drawn: tuple[list[tuple[Template, int]], list[tuple[int, int, int, bytes]]],
    places: list[int],
) -> None:
    sent = assembled(whole_server, drawn)
    received = send(whole_server, cut(sent, places), patience=0.1)
    found = responses(received, [], may_be_cut=True)
    for response in found:
        event(str(response.status))
        assert response.status in STATUSES, response
        assert b"Traceback" not in response.body
        if response.status >= 400 and response.body:
            problem = json.loads(response.body)
            assert problem["status"] == response.status
    most = requests_by_h11(sent)
    assert most is None or len(found) <= most, (sent, received)


@fuzzed
@given(drawn=streams(TEMPLATES, faults=1), places=pieces, end=some.integers(0, 2_000))
def test_clients_that_break_off(
    whole_server: WholeServer,
    drawn: tuple[list[tuple[Template, int]], list[tuple[int, int, int, bytes]]],
    places: list[int],
    end: int,
) -> None:
    sent = assembled(whole_server, drawn)
    send(whole_server, cut(sent[: end % (len(sent) + 1)], places), reset=True)
    assert whole_server.writer.get("/healthz").status_code == 200


def test_nothing_has_failed_afterwards(whole_server: WholeServer) -> None:
    whole_server.assert_no_failures()
    ratings = whole_server.writer.json("/ratings", limit=1)
    assert ratings["total"] >= 2_000
