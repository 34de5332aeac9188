"""A request over a connection that is already open ends like one over a new connection, whatever the server sends."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.raw_server import listen, ok, request_head

from airflow_movielens.client import ClientSettings, MovielensError
from airflow_movielens.client.http.masking import _CREDENTIALS_IN_URL, _SECRET_PARAMETER, HIDDEN, hide_in_url
from airflow_movielens.client.http.transport import Transport

JSON = "application/json"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)

STATUS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No"]
STATUS += [b"HTTP/2 200 OK"]
STATUS += [b"HTTP/1.1 200\tOK", b"HTTP/1.1 2000 OK", b"http/1.1 200 OK", b"HTTP/1.1 503 no"]
STATUS += [b"HTTP/1.1 200 O\xc3\xa4", b""]
STATUS += [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK"]
LINES = [b"Content-Length: 3", b"content-length:3", b"Content-Length: 4", b"Content-Length: 0", b"Content-Length: -1"]
LINES += [b"Content-Length: 3, 3", b"Content-Length: 3 "]
LINES += [b"Content-Length:\t3", b"Content-Length: +3", b"Content-Length : 3"]
LINES += [b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Connection: close", b"Connection: keep-alive"]
LINES += [b"Content-Type: application/json", b"Snapshot: a", b"Snapshot:", b" folded", b"no header", b"X-A: \xc3\xa4"]
LINES += [b"X-A: a\x00b", b"X-A: a:b", b": empty", b"X-Total-Count: 5", b"Link: </a>; rel=next", b"Link: </b>; rel=x"]
BODIES = [b"abc", b"", b"ab", b"abcd", b"3\r\nabc\r\n0\r\n\r\n"]
ENDS = [b"\r\n", b"\n"]


@contextmanager
def server(response):
    """Yield a URL: to a request for ``/it`` the server responds with this and hangs up, to others with an empty list."""

    def speak(connection):
        while head := request_head(connection):
            if head.startswith(b"GET /it?"):
                connection.sendall(response)
                return
            connection.sendall(ok(b"[]", "Content-Length: 2"))

    with listen(speak) as port:
        yield f"http://127.0.0.1:{port}"


def outcome(url, *, is_kept_alive, how):
    """Return what a request ends with."""
    with closing(Transport(ClientSettings(url))) as transport:
        if is_kept_alive:
            assert transport.get(f"{url}/ratings", JSON, 10).body == b"[]"
        try:
            if how == "stream":
                with transport.stream(f"{url}/it?a=1", JSON) as response:
                    return b"".join(response.chunks()), response.media_type, sorted(response.headers.items())
            response = transport.get(f"{url}/it?a=1", JSON, 10)
        except MovielensError as error:
            return type(error), str(error)
        headers = sorted(response.headers.items())
        return response.body, response.media_type, headers, str(response.exchange), response.is_close_delimited


def test_a_length_beside_chunks_is_ignored():
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with server(response) as url:
        assert outcome(url, is_kept_alive=True, how="get")[0] == b"abc"


def test_no_request_follows_on_a_connection_that_the_server_will_close():
    connections = []

    def speak(connection):
        connections.append([])
        while head := request_head(connection):
            connections[-1].append(head.split()[1])
            last = ("Connection: close",) if head.startswith(b"GET /last") else ()
            connection.sendall(ok(b"[]", "Content-Length: 2", *last))

    with listen(speak) as port, closing(Transport(ClientSettings(f"http://127.0.0.1:{port}"))) as transport:
        for path in ("first", "last", "next"):
            assert transport.get(f"http://127.0.0.1:{port}/{path}", JSON, 10).body == b"[]"
    assert connections == [[b"/first", b"/last"], [b"/next"]]


@fuzz
@given(
    st.sampled_from(STATUS),
    st.lists(st.sampled_from(LINES), max_size=5),
    st.sampled_from(BODIES),
    st.sampled_from(ENDS),
    st.sampled_from(["get", "stream"]),
)
@example(STATUS[0], [LINES[0], b"Content-Type: application/json"], b"abc", b"\r\n", "get")
@example(STATUS[0], [LINES[0], b"Content-Type: application/json"], b"abc", b"\r\n", "stream")
@example(STATUS[0], [b"Content-Length: 0"], b"", b"\r\n", "get")
@example(STATUS[0], [b"Content-Length: 4"], b"abc", b"\r\n", "get")
@example(STATUS[0], [b"Content-Length: 4"], b"", b"\r\n", "get")
@example(STATUS[0], [b"Content-Length: 4"], b"abc", b"\r\n", "stream")
def test_the_outcome_is_the_same_over_a_kept_connection(status, lines, body, end, how):
    response = end.join([status, *lines, b"", b""]) + body
    with server(response) as url:
        kept, new = (outcome(url, is_kept_alive=is_kept_alive, how=how) for is_kept_alive in (True, False))
    assert kept == new


@pytest.mark.parametrize(
    "target", ["/it?a=%2f", "/it?a=%2F", "/it?a=ä", "/it?a={b}", "/it?a=b|c", "/it?a=1#b", "/it?a=b c"]
)
def test_the_second_request_has_the_bytes_of_the_first(target):
    heads = []

    def speak(connection):
        while head := request_head(connection):
            heads.append(head)
            connection.sendall(ok(b"1", "Content-Length: 1"))

    with listen(speak) as port, closing(Transport(ClientSettings(f"http://127.0.0.1:{port}", "user", "pass"))) as one:
        for accept in (JSON, "text/csv", JSON, "text/csv"):
            assert one.get(f"http://127.0.0.1:{port}{target}", accept, 10).body == b"1"
    assert heads[0] == heads[2] != heads[1] == heads[3]
    assert b"Authorization: Basic" in heads[2]


PARTS = ["&", "?", "=", "token", "passw", "ord", "d", "secret", "api", "_", "key", "auth", "signature"]
PARTS += ["x", "@", "http://"]
PARTS += ["ſ", "\u212a", "ı", "İ", "A", "K", "I", "#", " "]  # noqa: RUF001 -- regular expressions take these for s, k and i


@fuzz
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
@example("?apı_key=1")  # noqa: RUF001
@example("?ſecret=1")  # noqa: RUF001
def test_credentials_in_a_url_are_hidden_as_the_regular_expressions_hide_them(url):
    assert hide_in_url(url) == _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", _CREDENTIALS_IN_URL.sub(r"\1", url))
