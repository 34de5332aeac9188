"""Page sizes that the API refuses."""

from __future__ import annotations

import pytest
from unit.client_reads import read
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.client import FatalError, MovielensClient

LONG = ratings(1234)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(
    ("most", "words", "requests"),
    [
        (100, {"detail": "limit: at most 100"}, 2),
        (500, {"detail": [{"loc": ["query", "limit"], "input": "1000", "ctx": {"le": 500}}]}, 2),
        (100, "too many", 2),
        (999, "at most 1,000,000 bytes, 999 rows", 2),
        (50, "expected [1..50].", 3),
        (50, "at most 50 rows since 2019-11-20", 4),
    ],
)
@pytest.mark.slow
def test_a_page_size_that_is_refused_is_lowered(status, most, words, requests, caplog):
    def script(_, query, __):
        return page_of(LONG, query) if int(query["limit"]) <= most else Response(words, status)

    with serve(script) as server, MovielensClient(server.base_url, page_size=1000) as client:
        assert list(client.get_ratings()) == LONG
        assert sum(int(query["limit"]) > most for _, query, _ in server.requests) <= requests - 1
        assert f"The API refuses limit=1000: reading pages of {most} rows instead" in caplog.text
        caplog.clear()
        assert list(client.get_ratings()) == LONG
        assert not caplog.records


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_page_size_that_is_refused_is_named_in_the_error(status):
    refusal = {"detail": "limit: at most 100"}
    with serve(lambda *_: Response(refusal, status)) as server, pytest.raises(FatalError) as caught:
        read(server)
    assert "refuses this request for limit=" in str(caught.value)
    assert "lower page_size (connection) or batch_size (argument)" in str(caught.value)
    assert "limit: at most 100" in str(caught.value)
