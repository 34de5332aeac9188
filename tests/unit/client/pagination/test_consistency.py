"""Pages that do not belong together: all rows of one state of the data, or an error."""

from __future__ import annotations

import json

import pytest
from unit.client_reads import DAY_2, ROWS, fetched, read
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import DataError, RatingsChangedError
from airflow_movielens.client.fetch.resume import ATTEMPTS
from airflow_movielens.client.parsing.pages import JSON, NDJSON


@pytest.mark.parametrize("clamp", [2, 7, 9])
def test_a_clamped_limit_loses_nothing(clamp):
    with serve(lambda _, query, __: page_of(ROWS, query | {"limit": min(int(query["limit"]), clamp)})) as server:
        assert read(server) == ROWS


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100])
def test_a_missing_total_loses_nothing(count):
    with serve(lambda _, query, __: page_of(ROWS[:count], query, total=None)) as server:
        assert read(server) == ROWS[:count]


@pytest.mark.parametrize("status", [204, 400, 404, 416, 422])
@pytest.mark.parametrize("count", [1, 100])
def test_a_refusal_after_the_end_is_the_end(status, count):
    def script(_, query, __):
        return page_of(ROWS[:count], query, total=None) if int(query["offset"]) < count else Response(b"", status)

    with serve(script) as server:
        assert read(server) == ROWS[:count]


@pytest.mark.parametrize("total", [None, 1])
def test_a_limit_clamped_to_one_without_a_total_of_all_is_an_error(total):
    with serve(lambda _, query, __: page_of(ROWS, query | {"limit": 1}, total=total)) as server:
        with pytest.raises(RatingsChangedError, match="more ratings after the apparent end"):
            read(server)


@pytest.mark.parametrize("total", [99, 101, 10, 0])
def test_a_wrong_total_is_an_error_and_not_a_short_file(total):
    with serve(lambda _, query, __: page_of(ROWS, query, total=total)) as server:
        with pytest.raises(RatingsChangedError, match=rf"announced {total} ratings but \d+ can be read"):
            fetched(server)


def test_a_total_that_counts_the_page_only_is_an_error():
    def script(_, query, __):
        page = page_of(ROWS, query)
        return Response(page.body | {"total": len(page.body["result"])})

    with serve(script) as server, pytest.raises(RatingsChangedError):
        fetched(server)


def test_a_repeated_page_is_an_error():
    with serve(lambda _, query, __: page_of(ROWS, query | {"offset": min(int(query["offset"]), 10)})) as server:
        with pytest.raises(RatingsChangedError, match="should begin with"):
            read(server)


def test_an_empty_page_in_the_middle_is_an_error():
    with serve(lambda _, query, n: page_of(ROWS, query, **({"result": []} if n == 3 else {}))) as server:
        with pytest.raises(RatingsChangedError):
            read(server)


def change_once(before, after, at):
    """Serve data that changes between two requests."""
    return lambda _, query, number: page_of(before if number < at else after, query)


CHANGES = {
    "insert at the front": (ROWS[1:], ROWS),
    "delete at the front": (ROWS, ROWS[1:]),
    "insert and delete, both before": (ROWS[:5] + ROWS[6:], ROWS[1:]),
    "insert before, delete behind": (ROWS[1:], ROWS[:-1]),
    "delete before, insert behind": (ROWS[:-1], ROWS[1:]),
    "insert at the end": (ROWS[:-1], ROWS),
    "delete at the end": (ROWS, ROWS[:-1]),
}


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_while_paging_ends_in_one_state_of_the_data(before, after, at):
    with serve(change_once(before, after, at)) as server:
        assert fetched(server) in (before, after)


def test_a_fetch_of_data_that_keeps_changing_fails_after_a_few_attempts():
    with serve(lambda _, query, number: page_of(ROWS[: 50 + number % 50], query)) as server:
        with pytest.raises(RatingsChangedError, match="the total went from"):
            fetched(server)
        assert len(server.requests) <= 12 * ATTEMPTS


@pytest.mark.parametrize("status", [409, 410])
def test_a_snapshot_that_is_gone_starts_the_window_over(status):
    with serve(lambda _, query, number: Response({}, status) if number == 4 else page_of(ROWS, query)) as server:
        assert fetched(server) == ROWS


def http10(rows, query, accept, formats, *, has_total):
    """Return the page of an HTTP/1.0 server that offers these formats and sends no Content-Length."""
    page = page_of(rows, query)
    media_type = next((name for name in formats if name in accept), formats[0])
    body = page.encoded()
    if media_type == NDJSON:
        body = b"".join(json.dumps(row).encode() + b"\n" for row in page.body["result"])
    elif not has_total:
        body = json.dumps({"result": page.body["result"]}).encode()
    headers = {"Content-Type": media_type} | ({"X-Total-Count": str(page.body["total"])} if has_total else {})
    return Response(body, headers=headers, is_close_delimited=True)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100])
@pytest.mark.parametrize(
    ("formats", "has_total"),
    [([JSON], True), ([JSON], False), ([NDJSON], True), ([NDJSON, JSON], True), ([NDJSON, JSON], False)],
)
@pytest.mark.slow
def test_a_server_of_http_1_0_without_content_length_loses_nothing(formats, has_total, count):
    def script(_, query, number):
        accept = server.requests[number][2]["Accept"]
        return http10(ROWS[:count], query, accept, formats, has_total=has_total)

    with serve(script) as server:
        assert fetched(server, DAY_2) == ROWS[:count]


@pytest.mark.parametrize("count", [0, 1, 25])
def test_an_empty_page_without_the_bytes_of_its_compression_loses_nothing(count):
    def script(_, query, __):
        page = page_of(ROWS[:count], query, total=None)
        return (
            page if page.body["result"] else Response(b"", headers={"Content-Encoding": "gzip", "Content-Type": NDJSON})
        )

    with serve(script) as server:
        assert fetched(server, DAY_2, retries=0) == ROWS[:count]


@pytest.mark.parametrize("count", [0, 100])
def test_an_empty_page_that_may_be_truncated_does_not_prove_the_end(count):
    with serve(lambda _, query, __: http10(ROWS[:count], query, "", [NDJSON], has_total=False)) as server:
        with pytest.raises(DataError, match="may be truncated: the API must send Content-Length, X-Total-Count, or"):
            fetched(server, DAY_2, retries=0)


def test_a_day_beside_the_window_with_a_total_but_no_rows_does_not_verify_the_window():
    def script(_, query, __):
        is_beside = query["start_date"] != "1970-01-02"
        return page_of(ROWS, query, **({"result": [], "total": 3} if is_beside else {}))

    with serve(script) as server:
        with pytest.raises(RatingsChangedError, match=r"counts 3 ratings of .* but shows none at row 0"):
            fetched(server, DAY_2, retries=0)
