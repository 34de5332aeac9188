"""Streamed responses end when nobody waits for them, in every format."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from api_testing import Serving
from streaming_testing import EndlessTable, request

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.formats import FORMATS

PARQUET = "application/vnd.apache.parquet"
# More than the threads that serve everything else.
CROWD = 45


def is_over() -> bool:
    # The traceback of an exception keeps what raised it until garbage is collected.
    gc.collect()
    return EndlessTable.ended.acquire(timeout=0.1)


@pytest.mark.parametrize("media_type", FORMATS)
def test_nothing_is_computed_for_a_client_that_left(serving: Serving, media_type: str) -> None:
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server:
        port = urlsplit(server.url).port
        assert port
        with request(port, media_type):
            assert EndlessTable.started.acquire(timeout=20)
        assert any(is_over() for _ in range(200))


def test_nothing_is_computed_for_a_client_that_left_although_it_had_sent_another_request(serving: Serving) -> None:
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server:
        port = urlsplit(server.url).port
        assert port
        with request(port, PARQUET) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert EndlessTable.started.acquire(timeout=20)
        assert any(is_over() for _ in range(200))


def test_clients_that_wait_for_files_do_not_block_others(serving: Serving) -> None:
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        assert port
        for _ in range(CROWD):
            stack.enter_context(request(port, PARQUET))
        assert EndlessTable.started.acquire(timeout=20)
        assert server.get("/").status_code == 200
        with request(port, "text/csv") as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
