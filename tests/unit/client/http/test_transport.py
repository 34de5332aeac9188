"""One request: which bodies arrive, which responses are refused, and what the errors say."""

from __future__ import annotations

import base64
import gzip
import logging
import re
import socket
import struct
import traceback
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
from unit.raw_server import drips, listen, ok, request_head, says
from unit.scripted_server import Response, serve

from airflow_movielens.client import ClientSettings, FatalError, RatingsChangedError, RetryableError
from airflow_movielens.client.errors import AbortedError, BadResponseError
from airflow_movielens.client.http.session import is_loopback
from airflow_movielens.client.http.transport import Transport
from airflow_movielens.client.settings import Tuning

JSON = "application/json"


@pytest.fixture
def transport():
    """Makes transports, and closes them."""
    made = []

    def make(base_url, tuning=None, **settings):
        made.append(Transport(ClientSettings(base_url, **settings), tuning=tuning))
        return made[-1]

    yield make
    for each in made:
        each.close()


# It leads to this machine, but the client requests compressed responses from it.
NOT_LOOPBACK = "0.0.0.0"


def response_to(transport, speak, how="get", **settings):
    with listen(speak) as port:
        url = f"http://{NOT_LOOPBACK}:{port}"
        one = transport(url, **settings)
        try:
            if how == "get":
                return one.get(f"{url}/ratings", JSON, 10_000)
            with one.stream(f"{url}/ratings", JSON) as response:
                return b"".join(response.chunks())
        finally:
            one.close()


def test_a_response_has_body_type_headers_and_exchange(transport):
    with serve(lambda *_: Response(b"[1]", headers={"Content-Type": "Application/JSON; charset=utf-8"})) as server:
        response = transport(server.base_url).get(f"{server.base_url}/ratings?offset=0", JSON, 10_000)
    assert (response.body, response.media_type) == (b"[1]", JSON)
    assert response.headers["content-LENGTH"] == "3"
    assert str(response.exchange) == f"GET {server.base_url}/ratings?offset=0 returned 200"
    assert server.requests[0][2]["Accept"] == JSON


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>; rel=preload"])
def test_interim_responses_are_skipped(transport, interim):
    def speak(connection):
        while request_head(connection):
            connection.sendall(f"HTTP/1.1 {interim}\r\n\r\n".encode() * 2 + ok(b"1", "Content-Length: 1"))

    assert response_to(transport, speak).body == b"1"


def test_connections_are_reused(transport):
    clients = set()

    def speak(connection):
        clients.add(connection.getpeername())
        while request_head(connection):
            connection.sendall(ok(b"1", "Content-Length: 1"))

    with listen(speak) as port:
        one = transport(f"http://127.0.0.1:{port}")
        for _ in range(3):
            one.get(f"http://127.0.0.1:{port}/ratings", JSON, 10_000)
        one.close()
    assert len(clients) == 1


BIG = bytes(range(256)) * 12_000
WHOLE = {
    "length": ok(BIG, f"Content-Length: {len(BIG)}"),
    "no length": ok(BIG, "Connection: close"),
    "chunked": ok(b"".join(b"%x\r\n%b\r\n" % (1000, BIG[at : at + 1000]) for at in range(0, len(BIG), 1000)) + b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    "gzip": ok(gzip.compress(BIG), f"Content-Length: {len(gzip.compress(BIG))}", "Content-Encoding: gzip"),
    "two gzip members": ok(gzip.compress(BIG[:999]) + gzip.compress(BIG[999:]), "Content-Encoding: x-gzip"),
}  # fmt: skip


@pytest.mark.parametrize("how", ["get", "stream"])
@pytest.mark.parametrize("response", WHOLE.values(), ids=WHOLE.keys())
def test_a_body_arrives_whole(transport, response, how):
    body = response_to(transport, says(response), how)
    assert (body.body if how == "get" else body) == BIG


def test_zstd_is_decompressed_where_it_is_supported(transport):
    zstd = pytest.importorskip("backports.zstd")
    packed = zstd.compress(BIG[:999]) + zstd.compress(BIG[999:])
    assert response_to(transport, says(ok(packed, "Content-Encoding: zstd"))).body == BIG


CUT = {
    "length": ok(BIG[:-1], f"Content-Length: {len(BIG)}"),
    "chunk": ok(b"10\r\nabc", "Transfer-Encoding: chunked"),
    "between chunks": ok(b"3\r\nabc\r\n", "Transfer-Encoding: chunked"),
    "no chunk size": ok(b"nonsense\r\n", "Transfer-Encoding: chunked"),
    "head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "head before its empty line": b"HTTP/1.0 200 OK\r\nContent-Type: application/x-ndjson\r\n",
    "status line": b"HTTP/1.0 200 OK",
    "head of an interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("how", ["get", "stream"])
@pytest.mark.parametrize("response", CUT.values(), ids=CUT.keys())
def test_a_cut_response_is_retryable(transport, response, how):
    with pytest.raises(RetryableError, match="broke off") as caught:
        response_to(transport, says(response), how)
    assert type(caught.value) is RetryableError


def test_chunks_that_arrive_before_a_reset_are_yielded(transport):
    def speak(connection):
        request_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 700)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset

    came = []
    with listen(speak) as port:
        client = transport(f"http://127.0.0.1:{port}")
        with pytest.raises(RetryableError), client.stream(f"http://127.0.0.1:{port}/ratings", "*/*") as response:
            came.extend(response.chunks())
    assert b"".join(came) == b"x" * 700


def test_a_connection_that_is_reset_in_the_middle_is_retryable(transport):
    def speak(connection):
        request_head(connection)
        connection.sendall(ok(b"abc", "Content-Length: 10"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset

    for how in ("get", "stream"):
        with pytest.raises(RetryableError, match="broke off"):
            response_to(transport, speak, how)


@pytest.mark.parametrize("how", ["get", "stream"])
def test_a_chunk_of_negative_size_is_not_read_to_the_end_of_the_connection(transport, how):
    endless = drips(ok(b"-1\r\n", "Transfer-Encoding: chunked"), b"x")
    with pytest.raises(RetryableError, match="broke off"):
        response_to(transport, endless, how, total_timeout=2)


BROKEN = {
    "unknown coding": ok(b"abc", "Content-Encoding: br"),
    "not requested": ok(zlib.compress(BIG), "Content-Encoding: deflate"),
    "not what it says": ok(b"abcdefgh", "Content-Encoding: gzip"),
    "cut before it was sent": ok(gzip.compress(BIG)[:-9], "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("how", ["get", "stream"])
@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN.keys())
def test_a_wrong_content_encoding_is_a_bad_response(transport, response, how):
    with pytest.raises(BadResponseError, match="the API's response cannot be read"):
        response_to(transport, says(response), how)


def test_a_page_larger_than_memory_should_hold_is_refused(transport):
    bomb = gzip.compress(bytes(100 * 1024**2))
    for response in (
        ok(bomb, "Content-Encoding: gzip"),
        ok(b"", "Content-Length: 999999999999"),
        ok(bytes(4 * 1024**2)),
    ):
        with pytest.raises(BadResponseError, match="larger than 3 MB"):
            response_to(transport, says(response), tuning=Tuning(max_body_bytes=3 * 1024**2))


def test_an_abandoned_stream_does_not_count_as_complete(transport):
    for framing in (f"Content-Length: {len(BIG)}", "Connection: close"):
        with listen(says(ok(BIG, framing))) as port:
            with transport(f"http://127.0.0.1:{port}").stream(f"http://127.0.0.1:{port}/", JSON) as response:
                chunks = response.chunks()
                next(chunks)
            with pytest.raises(AbortedError):
                list(chunks)


def test_the_pieces_of_a_streamed_bomb_stay_small(transport):
    bomb = ok(gzip.compress(bytes(50 * 1024**2)), "Content-Encoding: gzip")
    with (
        listen(says(bomb)) as port,
        transport(f"http://{NOT_LOOPBACK}:{port}").stream(f"http://{NOT_LOOPBACK}:{port}/", JSON) as response,
    ):
        sizes = [len(piece) for piece in response.chunks()]
    assert sum(sizes) == 50 * 1024**2
    assert max(sizes) <= 2 * Tuning().chunk_bytes


@pytest.mark.parametrize(("status", "error"), [(409, RatingsChangedError), (410, RatingsChangedError), (503, RetryableError), (407, FatalError), (404, FatalError), (206, FatalError)])  # fmt: skip
@pytest.mark.parametrize("how", ["get", "stream"])
def test_a_status_is_an_error_by_type(transport, status, error, how):
    body = gzip.compress(b'{"detail": "the server\'s own words"}')
    response = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with pytest.raises(error, match="the server's own words") as caught:
        response_to(transport, says(response), how)
    assert caught.value.exchange.status == status


ERRORS = {error.__name__: error for error in (FatalError, RetryableError, RatingsChangedError)}
PAGE = Path(__file__).resolve().parents[4] / "docs" / "errors.md"
STATUSES = re.findall(r"^\| (\d{3}) \| (.*?) ?\| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
HINTS = ["The plain HTTP request was sent to HTTPS port", "Client sent an HTTP request to an HTTPS server", "You're speaking plain HTTP to an SSL-enabled server port"]  # fmt: skip


@pytest.mark.parametrize(("status", "request_is", "error", "message"), STATUSES)
def test_each_status_raises_the_documented_error(transport, status, request_is, error, message):
    login = {} if request_is == "without credentials" else {"user": "me", "password": "secret"}
    for words in HINTS if "plain HTTP" in request_is else ["no"]:
        with serve(lambda *_: Response({"detail": words}, int(status))) as server:  # noqa: B023
            with pytest.raises(ERRORS[error]) as caught:
                transport(server.base_url, **login).get(f"{server.base_url}/ratings", JSON, 10_000)
        assert type(caught.value) is ERRORS[error]
        assert caught.value.args[0] == message


def test_terminal_control_characters_are_shown_as_spaces(transport):
    with pytest.raises(FatalError) as caught:
        response_to(
            transport, says(b"HTTP/1.1 400 no\r\nContent-Length: 17\r\n\r\na\x1b[2Jb\0\r\n\xe2\x80\xaec\xc2\x9bd")
        )
    assert caught.value.exchange.server_said == "a [2Jb c d"
    assert str(RetryableError("the type is text/\x1b[31m")) == "the type is text/ [31m"


def test_a_server_that_does_not_speak_http_is_reported(transport):
    with pytest.raises(RetryableError, match=r"does not speak HTTP: check host and port\. Does it speak https\?"):
        response_to(transport, says(b"\x15\x03\x01\x00\x02\x02\x46"))


@pytest.mark.parametrize(("port", "is_said"), [(5000, True), (9, False)])
def test_a_refused_connection_says_which_port_is_assumed(transport, port, is_said):
    with pytest.raises(RetryableError, match="no connection to the API: is it running") as caught:
        transport(f"http://127.0.0.77:{port}").get(f"http://127.0.0.77:{port}/ratings", JSON, 10_000)
    words = "Port 5000 is assumed if neither the host nor the port field gives one"
    assert (words in str(caught.value)) == is_said


def test_requests_go_only_to_the_apis_own_host(transport):
    with serve(lambda *_: Response({})) as server:
        with pytest.raises(FatalError, match="not for the API's own origin"):
            transport("http://127.0.0.1:1").get(f"{server.base_url}/ratings", JSON, 10_000)
        assert server.requests == []


def test_a_redirect_from_http_to_https_says_what_to_set(transport):
    with serve(lambda *_: Response({}, 301, {"Location": "https://127.0.0.1/ratings"})) as server:
        with pytest.raises(FatalError, match=r"redirects to https://127\.0\.0\.1: set the schema to https"):
            transport(server.base_url).get(f"{server.base_url}/ratings", JSON, 10_000)


def test_redirects_in_a_loop_end(transport):
    with serve(lambda *_: Response({}, 302, {"Location": "/ratings"})) as server:
        with pytest.raises(FatalError, match="in a loop"):
            transport(server.base_url).get(f"{server.base_url}/ratings", JSON, 10_000)
        assert len(server.requests) < 10


def test_the_large_body_of_a_redirect_is_not_read(transport):
    def speak(connection):
        if b"/there" in request_head(connection):
            connection.sendall(ok(b"1", "Content-Length: 1"))
        else:
            head = b"HTTP/1.1 302 there\r\nLocation: /there\r\nContent-Length: 999999999\r\n\r\n"
            connection.sendall(head + b" " * 100_000)
            connection.recv(1)

    assert response_to(transport, speak, total_timeout=5.0).body == b"1"


SECRET = "t%st:p@ss/wörd"
FORMS = [SECRET, quote(SECRET, safe=""), base64.b64encode(f"somebody:{SECRET}".encode()).decode()]


@pytest.mark.parametrize("form", FORMS)
def test_credentials_are_in_no_message_and_no_log(transport, form, caplog):
    caplog.set_level(logging.DEBUG)
    said = {"detail": f"you sent {form} to http://somebody:{quote(SECRET, safe='')}@host/?token=abc"}
    with serve(lambda *_: Response(said, 400)) as server:
        one = transport(server.base_url, user="somebody", password=SECRET)
        with pytest.raises(FatalError, match=r"you sent \*\*\*") as caught:
            one.get(f"{server.base_url}/ratings?cursor=abc&access_token=12345", JSON, 10_000)
    told = f"{caught.value} {caught.value!r} {vars(caught.value)} {caplog.text if form != SECRET else ''}"
    assert "cursor=abc" in told
    assert not [each for each in (*FORMS, "token=abc") if each in told]
    assert "token=12345" not in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_line_that_is_no_header_is_refused_and_not_logged(transport, form, caplog):
    caplog.set_level(logging.DEBUG)
    response = f"HTTP/1.1 200 OK\r\nSnapshot: s1\r\nno header {form}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    with pytest.raises(RetryableError, match="a line among its headers is not a header") as caught:
        response_to(transport, says(response), user="somebody", password=SECRET)
    assert form not in f"{caught.value} {caplog.text} {''.join(traceback.format_exception(caught.value))}"


def test_a_redirect_elsewhere_shows_no_credentials(transport):
    with serve(lambda *_: Response({}, 302, {"Location": "http://somebody:hunter2@elsewhere/?token=x"})) as server:
        with pytest.raises(FatalError, match="redirects to http://elsewhere, whose host and port differ") as caught:
            transport(server.base_url).get(f"{server.base_url}/ratings", JSON, 10_000)
    assert "hunter2" not in str(caught.value)


def test_a_token_comes_before_user_and_password_and_before_netrc(transport, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(lambda *_: Response({})) as server:
        for settings in ({"token": "abc", "user": "u", "password": "p"}, {"user": "u", "password": "p"}, {}):
            transport(server.base_url, **settings).get(f"{server.base_url}/ratings", JSON, 10_000)
    sent = [headers.get("Authorization") for _, _, headers in server.requests]
    assert sent == ["Bearer abc", "Basic " + base64.b64encode(b"u:p").decode(), None]


def test_compression_is_requested_only_where_bandwidth_is_scarce(transport):
    with serve(lambda *_: Response({})) as server:
        transport(server.base_url).get(f"{server.base_url}/ratings", JSON, 10_000)
    assert server.requests[0][2]["Accept-Encoding"] == "identity"
    assert "gzip" in transport("http://api.example.com").session.headers["Accept-Encoding"]


@pytest.mark.parametrize(("url", "is_near"), [("http://localhost:1", True), ("http://[::1]/", True), ("http://127.9.9.9", True), ("http://127.example.com", False), ("http://10.0.0.1", False)])  # fmt: skip
def test_loopback_is_known_by_its_address(url, is_near):
    assert is_loopback(url) is is_near


def test_a_closed_transport_reports_that_it_is_closed(transport):
    one = transport("http://127.0.0.1:1")
    one.close()
    with pytest.raises(AbortedError):
        one.get("http://127.0.0.1:1/ratings", JSON, 10_000)
    with pytest.raises(AbortedError):
        one.branch().get("http://127.0.0.1:1/ratings", JSON, 10_000)
