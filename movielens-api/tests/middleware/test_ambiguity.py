"""Repeated parts of a request, and the rules of each version of HTTP, over raw sockets."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from api_testing import Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.datasets import synthetic
from movielens_api.formats import ROWS_PER_CHUNK

ROWS = ROWS_PER_CHUNK + 1  # more are streamed
AUTHORIZATION = "Authorization: Basic bW92aWVsZW5zOm1vdmllbGVucw=="
HTTP11 = ("Host: x", "Connection: close")
Ask = Callable[..., tuple[str, dict[str, str], bytes]]


@pytest.fixture(scope="module")
def ask(serving: Serving) -> Iterator[Ask]:
    """Send a request line and headers. Return status line, headers and the raw body."""
    with serving(create_app(synthetic.load(ROWS), DEFAULT)) as api:
        address = urlsplit(api.url)

        def ask(line: str, *headers: str, body: str = "") -> tuple[str, dict[str, str], bytes]:
            with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
                connection.sendall("\r\n".join([line, AUTHORIZATION, *headers, "", body]).encode())
                received = b"".join(iter(lambda: connection.recv(65536), b""))
            head, _, sent = received.partition(b"\r\n\r\n")
            status, *lines = head.decode().split("\r\n")
            return status, dict(line.lower().split(": ", 1) for line in lines), sent

        yield ask


@pytest.mark.parametrize("path", ["/ratings", "/movies", "/movies/1", "/metrics", "/nothing"])
def test_parameters_are_limited_in_number(ask: Ask, path: str) -> None:
    query = "&".join(f"x{number}=1" for number in range(100))
    assert " 422 " in ask(f"GET {path}?{query} HTTP/1.1", *HTTP11)[0] or path == "/nothing"
    status, _, body = ask(f"GET {path}?{query}&y=1 HTTP/1.1", *HTTP11)
    assert " 400 " in status
    assert json.loads(body)["detail"] == "A request may have at most 100 parameters."
    assert " 200 " in ask(f"GET /healthz?{query}&y=1 HTTP/1.1", *HTTP11)[0]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/ratings?limit=1&limit=2", ["limit"]),
        ("/ratings?limit=1&limit=1", ["limit"]),
        ("/ratings?start_date=2000-01-01&limit=0&st%61rt_date=2001-01-01", ["start_date"]),
        ("/ratings?cursor=a&offset=&offset=&cursor=b", ["cursor", "offset"]),
        ("/movies?offset=1&offset=2", ["offset"]),
        ("/users?limit=1&limit=", ["limit"]),
    ],
)
def test_a_parameter_that_is_given_twice_is_named(ask: Ask, path: str, names: list[str]) -> None:
    status, headers, body = ask(f"GET {path} HTTP/1.1", *HTTP11)
    assert " 422 " in status
    assert headers["content-type"] == "application/problem+json"
    assert [error["parameter"] for error in json.loads(body)["errors"]] == names
    assert "Given more than once" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("method", "headers", "detail"),
    [
        ("GET", ["Host: x", "Host: x"], "Host: given more than once"),
        ("GET", [], "Host: missing"),
        ("GET", ["Host: x", "Authorization: Bearer t"], "Authorization: given more than once"),
        ("POST", ["Host: x", "Idempotency-Key: a", "idempotency-key: b"], "Idempotency-Key: given more than once"),
        ("POST", ["Host: x", "Content-Type: text/csv", "Content-Type: application/json"], "Content-Type: given more"),
        *(
            ("GET", [f"Host: {host}"], "Host: missing, empty or not")
            for host in (
                "",
                " ",
                "a b",
                "a/b",
                "me@a",
                "me:secret@a",
                "[::1",
                "a:b",
                ":80",
                "a?b",
                "http://a",
                "é",
                "a%2",
                '"a"',
            )
        ),
    ],
)
def test_a_header_that_is_given_twice_is_named(ask: Ask, method: str, headers: list[str], detail: str) -> None:
    status, _, body = ask(f"{method} /ratings HTTP/1.1", "Connection: close", *headers)
    assert " 400 " in status
    assert json.loads(body)["detail"].startswith(detail)


@pytest.mark.parametrize(
    "host", ["x", "x ", "x\t", "x:", "x_y.z:80", "127.0.0.1:5000", "[::1]:80", "[fe80::1%25eth0]", "a%20b"]
)
def test_valid_hosts(ask: Ask, host: str) -> None:
    assert " 200 " in ask("GET /healthz HTTP/1.1", f"Host: {host}", "Connection: close")[0]


def test_http_1_0_needs_no_host_but_no_wrong_one(ask: Ask) -> None:
    assert " 200 " in ask("GET /healthz HTTP/1.0")[0]
    assert " 400 " in ask("GET /healthz HTTP/1.0", "Host: a b")[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://other:81/", 200),
        ("HTTPS://other:81/", 200),
        ("http://other:81/?limit=1", 200),
        ("http://me:secret@other:81/", 400),
        ("ftp://other:81/", 400),
        ("/#other:81", 400),
        ("http://other:81/#a", 400),
        ("*", 404),
    ],
)
def test_the_host_of_a_target_is_the_one_that_counts(ask: Ask, target: str, status: int) -> None:
    line, _, page = ask(f"GET {target} HTTP/1.1", *HTTP11)
    assert f" {status} " in line
    assert (b"http://other:81/ratings" in page) is (status == 200)
    assert b"secret" not in page


CHUNKED = "2\r\n[]\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("version", "codings", "status"),
    [
        ("1.1", ["chunked"], 201),
        ("1.1", ["CHUNKED "], 201),
        ("1.1", ["gzip, chunked"], 501),
        ("1.1", ["identity", "chunked"], 501),
        ("1.1", ["chunked", "chunked"], 400),
        ("1.1", ["chunked, identity"], 400),
        ("1.1", ["identity"], 400),
        ("1.0", ["chunked"], 400),
        ("2.0", ["chunked"], 400),
        ("0.9", ["chunked"], 400),
    ],
)
def test_transfer_codings_are_chunked_alone_in_http_1_1_alone(
    ask: Ask, version: str, codings: list[str], status: int
) -> None:
    headers = ("Host: x", "Content-Type: application/json", *(f"Transfer-Encoding: {coding}" for coding in codings))
    close = () if status > 201 else ("Connection: close",)
    line, _, body = ask(f"POST /ratings HTTP/{version}", *headers, *close, body=CHUNKED)
    assert f" {status} " in line
    assert b"HTTP/1.1 " not in body  # nothing that follows is taken for a request


@pytest.mark.parametrize(("version", "status"), [("1.1", 100), ("1.0", 201), ("2.0", 201)])
def test_only_http_1_1_gets_100_continue(ask: Ask, version: str, status: int) -> None:
    headers = ("Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue")
    line, _, body = ask(f"POST /ratings HTTP/{version}", *HTTP11, *headers, body="[]")
    assert f" {status} " in line
    assert (b" 201 " in body) is (status == 100)


def test_half_a_surrogate_pair_is_quoted(ask: Ask) -> None:
    body = r'[{"\ud800": 1}]'
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    status, _, content = ask("POST /ratings HTTP/1.1", *HTTP11, *headers, body=body)
    assert " 422 " in status
    assert json.loads(content)["status"] == 422


@pytest.mark.parametrize("version", ["1.0", "2.0", "0.9"])
def test_only_http_1_1_gets_chunks(ask: Ask, version: str) -> None:
    _, headers, body = ask(f"GET /ratings HTTP/{version}", "Host: x", "Accept: text/csv", "Connection: close")
    assert "transfer-encoding" not in headers
    assert int(headers["content-length"]) == len(body)


def test_headers_that_are_lists_may_come_in_several_lines(ask: Ask) -> None:
    status, headers, _ = ask("GET /ratings?limit=1 HTTP/1.1", *HTTP11, "Accept: text/csv;q=0.1", "Accept: */*;q=0.01")
    assert " 200 " in status
    assert headers["content-type"].startswith("text/csv")


def chunks(body: bytes) -> bytes:
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert body == b"\r\n"
            return whole
        whole, body = whole + body[:length], body[length + 2 :]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"])
@pytest.mark.parametrize("query", ["", "limit=1", "limit=0", "limit=5000", "end_date=1970-01-02"])
def test_each_version_gets_the_same_rows_in_its_own_way(ask: Ask, query: str, media_type: str, coding: str) -> None:
    wanted = (f"Accept: {media_type}", f"Accept-Encoding: {coding}")
    status, headers, new = ask(f"GET /ratings?{query} HTTP/1.1", *HTTP11, *wanted)
    assert " 200 " in status
    if "transfer-encoding" in headers:
        new = chunks(new)
    status, headers, old = ask(f"GET /ratings?{query} HTTP/1.0", *wanted)
    assert " 200 " in status
    assert "transfer-encoding" not in headers
    assert int(headers["content-length"]) == len(old)
    if headers.get("content-encoding") == "gzip":
        old, new = gzip.decompress(old), gzip.decompress(new)
    assert old == new
    assert not ask(f"HEAD /ratings?{query} HTTP/1.0", *wanted)[2]


def test_http_1_0_gets_no_chunks_whatever_the_size(ask: Ask) -> None:
    _, headers, body = ask("GET /ratings HTTP/1.0", "Accept: application/x-ndjson")
    assert len(body) == int(headers["content-length"])
    assert len(re.findall(rb"\n", body)) == ROWS
