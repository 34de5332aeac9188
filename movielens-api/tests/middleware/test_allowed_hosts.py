"""Requests for another host are refused where the server knows its own names."""

from __future__ import annotations

import json
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

import pytest
from api_testing import Api, Launch, Serving, drained

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.middleware.allowed_hosts import names_to_allow
from movielens_api.table.catalogue import Catalogue

LOCAL = [
    "localhost",
    "LocalHost:5000",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.9.10:80",
    "[::1]:5000",
    "[::1]",
]
FOREIGN = ["evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost",
           "192.0.2.1", "0.0.0.0", "[2001:db8::1]:5000"]  # fmt: skip


def status(url: str, *lines: str) -> int:
    """Send a request without a body, and return the status."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    number = int(head.split()[1])
    if number >= 400:
        assert b"content-type: application/problem+json" in head
        assert json.loads(body)["status"] == number
    return number


@pytest.mark.parametrize("path", ["/", "/healthz", "/ratings", "/nothing"])
def test_a_server_of_this_computer_refuses_other_names(api: Api, path: str) -> None:
    for host in LOCAL:
        assert status(api.url, f"GET {path} HTTP/1.1", f"Host: {host}") != 421, host
    for host in FOREIGN:
        assert status(api.url, f"GET {path} HTTP/1.1", f"Host: {host}") == 421, host
        assert status(api.url, f"GET {path} HTTP/1.0", f"Host: {host}") == 421, host
        # The target takes precedence.
        assert status(api.url, f"GET http://{host}{path} HTTP/1.1", "Host: localhost") == 421, host


def test_the_rules_of_host(api: Api) -> None:
    assert status(api.url, "GET /healthz HTTP/1.1") == 400
    assert status(api.url, "GET /healthz HTTP/1.1", "Host: localhost", "Host: localhost") == 400
    assert status(api.url, "GET /healthz HTTP/1.1", "Host: localhost", "Host: evil.example") == 400
    assert status(api.url, "GET /healthz HTTP/1.0") == 200


def test_names_that_are_given_are_allowed_in_all_workers(launch: Launch) -> None:
    names = ("--allowed-host", "api.example", "--allowed-host", "Other.Example")
    login = {"API_USER": "me", "API_PASSWORD": "a good password"}
    process = launch("serve", "--port", "0", "--host", "0.0.0.0", "--workers", "2", *names, **login)
    url = drained(process)
    for host, expected in [("api.example:80", 200), ("other.example", 200), ("localhost", 200), ("evil.example", 421)]:
        for _ in range(4):
            assert status(url, "GET /healthz HTTP/1.1", f"Host: {host}") == expected


def test_an_application_refuses_no_name_by_default(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        assert status(server.url, "GET /healthz HTTP/1.1", "Host: evil.example") == 200


@pytest.mark.parametrize(
    ("listening", "given", "allowed"),
    [
        ("127.0.0.1", [], ["localhost", "127.0.0.1", "::1"]),
        ("127.0.0.2", ["a"], ["localhost", "127.0.0.1", "::1", "a"]),
        ("localhost", [], ["localhost", "127.0.0.1", "::1"]),
        ("::1", [], ["localhost", "127.0.0.1", "::1"]),
        ("0.0.0.0", [], None),
        ("::", [], None),
        ("192.0.2.1", ["a", "b"], ["localhost", "127.0.0.1", "::1", "a", "b"]),
    ],
)
def test_which_names_a_server_knows(listening: str, given: list[str], allowed: Collection[str] | None) -> None:
    assert names_to_allow(listening, given) == (None if allowed is None else set(allowed))
