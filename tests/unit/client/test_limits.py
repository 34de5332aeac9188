"""Small answers that are huge, and fetches that never end."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
import zlib

import pytest
from unit.client_reads import DAY_2, ROWS
from unit.scripted_server import page_of, serve

from airflow_movielens.client import DataError, MovielensClient, RetryableError
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.fetch.fetching import fetched_rows
from airflow_movielens.client.settings import Tuning

MEGABYTE = 1024**2
SHORT_PARTS = Tuning(part_rows=20, part_seconds=3600.0, start_over_seconds=0.0)


def nested(size):
    """Return JSON of about so many bytes that takes twenty times as much memory."""
    return b"[" + b"[]," * (size // 3) + b"[]]"


def responding(body, compress=gzip.compress, encoding="gzip", url="http://api", **settings):
    """Return a client whose API always gives this response, compressed."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    return MovielensClient(url, retries=0, transport=lambda *_: (200, headers, compress(body)), **settings)


READS = {
    "count": (1, lambda client: client.count_ratings(DAY_2.start, DAY_2.end)),
    "page of 1,000 rows": (2, lambda client: list(client.get_ratings(DAY_2.start, DAY_2.end, batch_size=1000))),
    "page of 10,000 rows": (11, lambda client: list(client.get_ratings(DAY_2.start, DAY_2.end, batch_size=10_000))),
}


@pytest.mark.parametrize(("largest", "read"), READS.values(), ids=READS)
def test_an_answer_that_is_too_large_for_its_rows_is_refused_before_it_is_parsed(largest, read):
    page = json.dumps({"result": [], "total": 0, "offset": 0, "limit": 0}).encode()
    with responding(page.replace(b"{", b'{"more": ' + nested(largest * MEGABYTE) + b", ", 1)) as client:
        tracemalloc.start()
        try:
            with pytest.raises(
                DataError, match=r"it is larger than \d+ MB, too large for the requested number of rows"
            ):
                read(client)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 * (largest + 1) * MEGABYTE
    with responding(page.replace(b"{", b'{"more": ' + nested(MEGABYTE // 2) + b", ", 1)) as client:
        assert not read(client)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://api"])
def test_only_compressions_that_were_requested_are_decompressed(url):
    body = page_of(ROWS, {}).encoded()
    is_requested = url == "http://api"  # on the same machine, none is
    with responding(body, url=url) as client:
        if is_requested:
            assert client.count_ratings(DAY_2.start, DAY_2.end) == len(ROWS)
        else:
            with pytest.raises(DataError, match="its Content-Encoding 'gzip' was not requested"):
                client.count_ratings(DAY_2.start, DAY_2.end)
    with responding(body, zlib.compress, "deflate", url=url) as client:
        with pytest.raises(DataError, match="its Content-Encoding 'deflate' was not requested"):
            client.count_ratings(DAY_2.start, DAY_2.end)


@pytest.mark.parametrize("total", [{}, {"total": None}], ids=["announced", "not announced"])
def test_a_fetch_reads_at_most_max_rows(tmp_path, total):
    with serve(lambda _, query, __: page_of(ROWS, query, **total)) as server:
        for max_rows in (1, 99):
            server.requests.clear()
            with MovielensClient(server.base_url, page_size=10, max_rows=max_rows, concurrency=1) as client:
                words = "announces 100 ratings" if not total else "has sent .* ratings"
                with pytest.raises(DataError, match=rf"the API {words}, more than max_rows={max_rows}"):
                    fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"))
                with pytest.raises(DataError, match="more than max_rows"), fetched_rows(client, DAY_2):
                    pass
            assert not (tmp_path / "r.csv").exists()
        with MovielensClient(server.base_url, page_size=10, max_rows=100) as client:
            assert fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv")).rows == 100


def test_a_fetch_takes_at_most_max_seconds_and_can_be_resumed(tmp_path):
    is_slow, never = threading.Event(), threading.Event()
    is_slow.set()

    def script(_, query, number):
        if is_slow.is_set() and number >= 8:
            never.wait()
        return page_of(ROWS, query)

    with serve(script) as server:
        try:
            with MovielensClient(server.base_url, page_size=10, max_seconds=1.0, tuning=SHORT_PARTS) as client:
                with pytest.raises(RetryableError, match="the fetch has taken more than max_seconds=1"):
                    fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"))
                is_slow.clear()
                reports = []
                manifest = fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"), progress=reports.append)
        finally:
            never.set()
    assert manifest.rows == 100
    assert reports[0].resumed_rows > 0
