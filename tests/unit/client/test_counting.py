"""Counts on servers that send no total, or refuse a limit of zero."""

from __future__ import annotations

import pytest
from unit.client_reads import DAY_2, ROWS
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import DataError, MovielensClient


def test_a_server_without_a_total_cannot_count():
    with serve(lambda _, query, __: page_of(ROWS, query, total=None)) as server:
        with MovielensClient(server.base_url) as client, pytest.raises(DataError, match='no "total"'):
            client.count_ratings()


@pytest.mark.parametrize("status", [204, 400, 404, 413, 416, 422, 500])
def test_ratings_are_counted_if_the_server_refuses_a_limit_of_zero(status):
    def script(_, query, __):
        return page_of(ROWS, query) if int(query["limit"]) else Response(b"", status)

    with serve(script) as server, MovielensClient(server.base_url) as client:
        assert client.count_ratings(DAY_2.start, DAY_2.end) == len(ROWS)
