"""Hostile servers whose responses are unusable, late or cut off."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import zlib
from base64 import b64encode
from functools import partial
from urllib.parse import urlsplit

import pytest
import requests
from hostile_testing import ROWS, Hostile

from movielens_api.hostile import PROFILES, broken_responses

PATH = "/ratings?limit=20"
PAGE = {"result": ROWS[:20], "offset": 0, "limit": 20, "total": 60}


def test_truncated(hostile: Hostile) -> None:
    server = hostile("truncated")
    for _ in range(2):
        cut, whole = server.ask(PATH), server.ask(PATH)
        assert whole.json() == PAGE
        assert cut.status_code == 200
        assert cut.content == whole.content[: len(whole.content) // 2]
        assert int(cut.headers["content-length"]) == len(cut.content)
        assert cut.headers["content-type"] == "application/json"


def test_html_page(hostile: Hostile) -> None:
    server = hostile("html-page")
    for _ in range(2):
        page = server.ask(PATH)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert page.text.startswith("<!doctype html>")
        assert server.ask(PATH).json() == PAGE


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_wrong_content_type(hostile: Hostile, accept: str) -> None:
    server = hostile("wrong-content-type")
    for _ in range(2):
        response = server.ask(PATH, accept=accept)
        assert response.headers["content-type"].startswith("text/plain")
        assert response.text.startswith("userId," if accept == "text/csv" else "{")


def test_huge_header(hostile: Hostile) -> None:
    server = hostile("huge-header")
    for _ in range(2):
        with pytest.raises(requests.ConnectionError, match="header line"):
            server.ask(PATH)


def test_gzip_bomb(hostile: Hostile) -> None:
    assert broken_responses.BOMBS * broken_responses.BOMB_BYTES == 1 << 32
    server = hostile(profile=partial(PROFILES["gzip-bomb"], part_bytes=1 << 16))
    for _ in range(2):
        response = requests.get(server.url + PATH, auth=server.auth, timeout=30, stream=True)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["content-encoding"] == "gzip"
        sent = response.raw.read(decode_content=False)
        assert len(sent) < 50_000
        assert gzip.decompress(sent) == b" " * (broken_responses.BOMBS << 16)
    assert zlib.decompressobj(31).decompress(sent) == b" " * (1 << 16)


def test_no_response(hostile: Hostile) -> None:
    server = hostile("no-answer")
    for _ in range(2):
        with pytest.raises(requests.ReadTimeout):
            requests.get(server.url + PATH, auth=server.auth, timeout=0.3)
        assert server.ask(PATH).json() == PAGE


def test_a_late_response(hostile: Hostile) -> None:
    assert broken_responses.LONG_SECONDS == 60
    assert hostile(profile=partial(PROFILES["no-answer"], seconds=0.1)).ask(PATH).json() == PAGE


def test_slow_body(hostile: Hostile) -> None:
    server = hostile(profile=partial(PROFILES["slow-body"], seconds=0.01, drips=50))
    for _ in range(2):
        slow = requests.get(server.url + PATH, auth=server.auth, timeout=10, stream=True)
        pieces = list(iter(lambda slow=slow: slow.raw.read1(100_000), b""))
        assert len(pieces) > 10
        assert json.loads(b"".join(pieces)) == PAGE
        assert server.ask(PATH).json() == PAGE


def test_slow_headers(hostile: Hostile) -> None:
    server = hostile(profile=partial(PROFILES["slow-headers"], seconds=0.001))
    for _ in range(2):
        pieces = received(server.url, PATH)
        assert len(pieces) > 10
        head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(body) == PAGE
        assert server.ask(PATH).json() == PAGE
    assert server.ask("/ratings?limit=1").json()["result"] == ROWS[:1]


def ask(url: str, path: str) -> socket.socket:
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    login = b64encode(b"movielens:movielens").decode()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n\r\n".encode())
    return connection


def received(url: str, path: str) -> list[bytes]:
    """Return the received pieces until the server closes the connection."""
    with ask(url, path) as connection:
        return list(iter(lambda: connection.recv(100_000), b""))


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.apache.arrow.stream"])
@pytest.mark.parametrize(("name", "says"), [("cut-short", "IncompleteRead"), ("reset", "Connection reset by peer")])
def test_the_connection_breaks_in_the_middle(hostile: Hostile, name: str, says: str, accept: str) -> None:
    server = hostile(name)
    for _ in range(2):
        with pytest.raises(requests.RequestException, match=says):
            server.ask(PATH, accept=accept)
        assert server.ask(PATH, accept=accept).status_code == 200


def test_half_of_it_arrives_before_a_reset(hostile: Hostile) -> None:
    server = hostile("reset")
    response = requests.get(server.url + PATH, auth=server.auth, timeout=10, stream=True)
    assert response.raw.read1(100).startswith(b'{"result":[{')
    assert int(response.headers["content-length"]) == len(server.ask(PATH).content)


@pytest.mark.parametrize("name", ["cut-short", "reset", "slow-headers", "slow-body", "no-answer"])
def test_a_client_that_disconnects_is_not_a_failure_of_the_server(
    hostile: Hostile, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    server = hostile(name)
    connection = ask(server.url, PATH)
    assert name == "no-answer" or connection.recv(1)
    connection.close()
    while server.ask(PATH).json() != PAGE:
        pass
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
