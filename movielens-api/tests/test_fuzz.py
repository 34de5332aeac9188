"""Random data in every part of a request to the whole server: never a 500, always one complete HTTP response.

A larger run, by hand: `FUZZ_EXAMPLES=20000 pytest movielens-api/tests/test_fuzz.py`.
"""

from __future__ import annotations

import json
import os
import socket
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import quote, quote_from_bytes, urlsplit

import pytest
from api_testing import Api
from auth_testing import ANN, basic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from whole_server_testing import WholeServer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PASSWORD = basic(":".join(ANN))
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X" * 100]
# What the application refuses comes as a problem document; what is no HTTP at all is the HTTP parser's to refuse.
PLAIN_REFUSAL = b"Invalid HTTP request received."


@dataclass
class Response:
    """A response as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(api: Api, request: bytes, *, unfinished: bool = False) -> Response | None:
    """Send bytes on a new connection. Return the response, or None if the server closed it without one.

    For an incomplete request, the sending side is closed. Otherwise, the server would wait for the rest.
    """
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        try:
            connection.sendall(request)
            if unfinished:
                connection.shutdown(socket.SHUT_WR)
            response = HTTPResponse(connection, method=request.partition(b" ")[0].decode("latin-1"))
            response.begin()
        except ConnectionError:
            return None
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, response.read())


def request(target: str | bytes, method: str = "GET", headers: list[tuple[str, bytes]] | None = None) -> bytes:
    path = target if isinstance(target, bytes) else target.encode("ascii")
    lines = [b"%s %s HTTP/1.1" % (method.encode(), path), b"Host: localhost", b"Connection: close"]
    sent = headers or []
    if not any(name == "Authorization" for name, _ in sent):
        sent = [*sent, ("Authorization", PASSWORD.encode())]
    return b"\r\n".join([*lines, *(name.encode() + b": " + value for name, value in sent), b"", b""])


def judge(response: Response | None) -> Response | None:
    """Assert what is true of every response."""
    if response is None:
        return None
    assert response.status < 500, response.body
    assert b"Traceback" not in response.body
    if response.status >= 400 and response.body and response.body != PLAIN_REFUSAL:
        assert response.headers["content-type"] == "application/problem+json", response
        problem = json.loads(response.body)
        assert problem["status"] == response.status
        assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    return response


@pytest.fixture(scope="module")
def fuzz(whole_server: WholeServer) -> Api:
    """A client that may post."""
    return whole_server.writer


@dataclass(frozen=True)
class Operation:
    """An operation of the OpenAPI document, with its parameters by location."""

    method: str
    path: str
    names: dict[str, list[str]]


@pytest.fixture(scope="module")
def operations(fuzz: Api) -> list[Operation]:
    found = []
    for path, item in fuzz.json("/openapi.json")["paths"].items():
        for method, operation in item.items():
            names: dict[str, list[str]] = {"query": [], "path": [], "header": []}
            for parameter in operation.get("parameters", []):
                names[parameter["in"]].append(parameter["name"])
            found.append(Operation(method.upper(), path, names))
    assert len(found) >= 10
    return found


numbers = some.one_of(
    some.integers(-(2**70), 2**70).map(str),
    some.sampled_from(["0", "-0", "1e9", "0x1", "NaN", "Infinity", "1.0", "9" * 5000, "-" + "9" * 400, "٣", "²"]),
)
days = some.one_of(
    some.dates().map(str),
    some.sampled_from(["0001-01-01", "9999-12-31", "2015-02-30", "2015-01-01T00:00", "١٩٩٥-01-01", "1995-01-01\0"]),
)
texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=60)
values = some.one_of(numbers, days, texts).map(quote) | some.binary(max_size=60).map(quote_from_bytes)
# Percent signs that encode nothing, and characters that have no place in a query.
garbage = some.lists(
    some.sampled_from(
        ["%", "%%", "%0", "%zz", "%00", "%ff", "%u1234", "+", "&", "=", ";", "[]", "..", "//", "{}", "|", "~"]
    ),
    max_size=12,
).map("".join)
anything = values | garbage


def ask(fuzz: Api, target: str | bytes, method: str = "GET", **headers: bytes) -> Response | None:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return judge(exchange(fuzz, request(target, method, named)))


@fuzzed
@given(data=some.data())
def test_every_parameter_of_every_operation(fuzz: Api, operations: list[Operation], data: some.DataObject) -> None:
    operation = data.draw(some.sampled_from(operations))
    path = operation.path
    for name in operation.names["path"]:
        path = path.replace(f"{{{name}}}", data.draw(anything))
    names = some.sampled_from(operation.names["query"]) if operation.names["query"] else anything
    query = data.draw(some.lists(some.tuples(names | anything, anything), max_size=6))
    headers = {name: quote(data.draw(texts)).encode() for name in operation.names["header"]}
    target = path + "?" + "&".join(f"{name}={value}" for name, value in query)
    assert ask(fuzz, target, operation.method, **headers)


HEADERS = [
    "Accept", "Accept-Encoding", "If-None-Match", "Authorization", "Idempotency-Key", "Range", "If-Modified-Since",
    "If-Match", "Content-Type", "Content-Encoding", "Host", "Cookie", "Expect", "X-Forwarded-For", "X-Forwarded-Proto",
    "Origin", "Upgrade", "Accept-Charset", "X-Request-ID",
]  # fmt: skip
header_words = some.lists(
    some.sampled_from(
        [
            b"*",
            b"*/*",
            b"text/csv",
            b"application/json",
            b"gzip",
            b"zstd",
            b"identity",
            b";q=",
            b"0",
            b"1.0001",
            b"-1",
            b",",
            b";",
            b"=",
            b'"',
            b"W/",
            b"Basic ",
            b"Bearer ",
            b"://",
            b"bytes=",
            b"0-",
            b"\xff",
            b"\xc3\xa9",
            b"\t",
            b" ",
            b"100-continue",
            b"websocket",
            b"h2c",
            b"x" * 3000,
        ]
    ),
    max_size=15,
).map(b"".join)
legal_bytes = some.binary(max_size=80).map(lambda raw: bytes(byte for byte in raw if byte >= 32 and byte != 127))
TARGETS = [
    "/",
    "/ratings?limit=50",
    "/movies?limit=1",
    "/movies/1",
    "/users?limit=1",
    "/users/1/recommendations",
    "/movies/998/similar",
    "/metrics",
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/static/swagger-ui.css",
]


@fuzzed
@given(
    target=some.sampled_from(TARGETS),
    sent=some.lists(some.tuples(some.sampled_from(HEADERS), header_words | legal_bytes), max_size=4),
)
def test_every_header(fuzz: Api, target: str, sent: list[tuple[str, bytes]]) -> None:
    assert judge(exchange(fuzz, request(target, headers=sent)))


@fuzzed
@given(target=some.sampled_from(["/ratings", "/movies", "/users"]), junk=some.binary(max_size=60) | header_words)
def test_credentials(fuzz: Api, target: str, junk: bytes) -> None:
    for value in (b"Basic " + b64encode(junk), b"Basic " + b"".join(junk.split()), b"Bearer " + b64encode(junk)):
        response = judge(exchange(fuzz, request(target, headers=[("Authorization", value)])))
        assert response
        assert response.status in {400, 401, 429, 431}


@fuzzed
@given(path=some.binary(min_size=1, max_size=200), method=some.sampled_from(METHODS))
def test_raw_bytes_as_a_path(fuzz: Api, path: bytes, method: str) -> None:
    judge(exchange(fuzz, request(b"/" + path, method)))


@fuzzed
@given(
    name=some.sampled_from(["/ratings?", "/movies?", "/static/", "/movies/", "/users/", "/"]),
    path=some.binary(max_size=200),
)
def test_any_bytes_percent_encoded(fuzz: Api, name: str, path: bytes) -> None:
    assert ask(fuzz, name + quote_from_bytes(path, safe=""))


@fuzzed
@given(raw=some.binary(max_size=400))
def test_bytes_that_are_not_http(fuzz: Api, raw: bytes) -> None:
    judge(exchange(fuzz, raw, unfinished=True))


@fuzzed
@given(
    head=some.sampled_from(
        [
            b"Content-Length: -1",
            b"Content-Length: 5, 6",
            b"Content-Length: 99999999999999999999",
            b"Content-Length: 10",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip",
            b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        ]
    ),
    body=some.binary(max_size=100) | some.sampled_from([b"0\r\n\r\n", b"fffffffffffffffff\r\n", b"-1\r\n", b"5\r\nab"]),
    method=some.sampled_from(METHODS),
)
def test_bodies_that_do_not_keep_their_word(fuzz: Api, head: bytes, body: bytes, method: str) -> None:
    lines = [f"{method} /ratings?limit=1 HTTP/1.1".encode(), b"Host: localhost", b"Connection: close"]
    lines += [b"Authorization: " + PASSWORD.encode(), head, b"", body]
    judge(exchange(fuzz, b"\r\n".join(lines), unfinished=True))


def test_a_cursor_with_every_bit_flipped(fuzz: Api) -> None:
    genuine = fuzz.get("/ratings", limit=1).links["next"]["url"].removeprefix("?cursor=")
    session = fuzz.session
    for place in range(len(genuine)):
        for bit in range(8):
            forged = genuine[:place] + chr(ord(genuine[place]) ^ 1 << bit) + genuine[place + 1 :]
            response = session.get(f"{fuzz.url}/ratings?cursor={quote(forged, safe='')}", auth=fuzz.auth, timeout=20)
            assert response.status_code in {410, 422}, (place, bit, response.text)
            assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", [1_000, 60_000, 70_000, 1_000_000])
@pytest.mark.parametrize("shape", ["/{}", "/ratings?cursor={}", "/ratings?limit=1&{}=1", "/movies/{}"])
def test_very_long_addresses(fuzz: Api, shape: str, length: int) -> None:
    ask(fuzz, shape.format("9" * length))


@pytest.mark.parametrize("many", [10, 2_000])
def test_a_parameter_many_times(fuzz: Api, many: int) -> None:
    ask(fuzz, "/ratings?" + "&".join(["limit=1"] * many))
    ask(fuzz, "/ratings?" + "&".join(f"p{number}=1" for number in range(many)))


def test_many_and_long_headers(fuzz: Api) -> None:
    judge(exchange(fuzz, request("/ratings", headers=[("X-Many", b"1")] * 5_000)))
    judge(exchange(fuzz, request("/ratings", headers=[("Accept", b"x" * 100_000)])))
    judge(exchange(fuzz, request("/ratings", headers=[("Accept", b"text/csv," * 5_000)])))


def test_it_is_still_there_afterwards(fuzz: Api, whole_server: WholeServer) -> None:
    assert fuzz.get("/healthz").json() == {"status": "ok"}
    assert fuzz.json("/ratings", limit=1)["total"] >= 2_000
    whole_server.assert_no_failures()
    # The limits on logins and requests have not refused most of it.
    statuses = [each.status for each in whole_server.requests()]
    assert len([status for status in statuses if status not in {401, 429}]) > len(statuses) / 2
    assert len([status for status in statuses if status < 300]) > EXAMPLES
