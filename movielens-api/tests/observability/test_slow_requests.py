"""A request that hangs is logged while it hangs."""

from __future__ import annotations

import logging
import threading
import time

import pytest
import requests
from api_testing import Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.middleware.request_limits import Limits
from movielens_api.table.catalogue import Catalogue


def test_what_hangs_in_a_thread_is_logged_once_and_again_when_it_ends(
    serving: Serving, small: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    app = create_app(small, DEFAULT, limits=Limits(slow_seconds=0.1))
    is_over = threading.Event()

    @app.get("/hang")
    def hang() -> str:
        is_over.wait(30)
        return "over"

    with serving(app) as server:
        answers: list[requests.Response] = []
        asking = threading.Thread(target=lambda: answers.append(server.get("/hang", password="pssst", x=1)))
        asking.start()
        for _ in range(1_000):
            if caplog.records:
                break
            time.sleep(0.01)
        # Others are in flight meanwhile, and end.
        for _ in range(30):
            assert server.get("/healthz").ok
            time.sleep(0.01)
        [record] = caplog.records
        is_over.set()
        asking.join()
    [again] = [each for each in caplog.records if each is not record]
    assert [answer.text for answer in answers] == ['"over"']
    assert (record.levelno, again.levelno) == (logging.WARNING, logging.WARNING)
    assert record.getMessage().startswith("a slow request is running for 0 seconds: ")
    assert "GET '/hang' of 127.0.0.1, sent nothing" in record.getMessage()
    assert again.getMessage().startswith("a slow request ended after ")
    assert "GET '/hang' of 127.0.0.1, sent 6 bytes of a response 200" in again.getMessage()
    request = record.getMessage().split(": ")[1].split(",")[0]
    assert request in again.getMessage()
