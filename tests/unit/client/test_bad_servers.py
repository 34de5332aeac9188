"""Servers that misbehave: correct data, or a clear error of the right type."""

from __future__ import annotations

import base64
import json
import socket
from datetime import date
from urllib.parse import urlencode

import pytest
import requests
from unit.scripted_server import DAY, Answer, page_of, ratings, serve

from airflow_movielens.client import DataError, FatalError, MovielensClient, RatingsChangedError, RetryableError, Window
from airflow_movielens.client.fetch import fetched_rows
from airflow_movielens.client.fetch.resume import ATTEMPTS
from airflow_movielens.client.parsing.pages import JSON, NDJSON

ROWS = ratings(100)
LONG = ratings(1234)
DAY_2 = Window(date(1970, 1, 2), date(1970, 1, 3))


def read(server, **settings):
    with MovielensClient(server.base_url, "user", "secret", **{"page_size": 10} | settings) as client:
        return list(client.get_ratings())


def fetched(server, window=None, **settings):
    with MovielensClient(server.base_url, page_size=10, **settings) as client:
        with fetched_rows(client, window or Window()) as rows:
            return rows.collect().to_dicts()


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
        return page_of(ROWS[:count], query, total=None) if int(query["offset"]) < count else Answer(b"", status)

    with serve(script) as server:
        assert read(server) == ROWS[:count]


@pytest.mark.parametrize("total", [None, 1])
def test_a_limit_clamped_to_one_without_a_total_of_all_is_an_error(total):
    with serve(lambda _, query, __: page_of(ROWS, query | {"limit": 1}, total=total)) as server:
        with pytest.raises(RatingsChangedError, match="more ratings after the apparent end"):
            read(server)


@pytest.mark.parametrize("total", [99, 101, 10, 0])
def test_a_lying_total_is_an_error_not_a_short_file(total):
    with serve(lambda _, query, __: page_of(ROWS, query, total=total)) as server:
        with pytest.raises(RatingsChangedError, match=rf"announced {total} ratings but \d+ can be read"):
            fetched(server)


def test_a_total_that_counts_the_page_only_is_an_error():
    def script(_, query, __):
        page = page_of(ROWS, query)
        return Answer(page.body | {"total": len(page.body["result"])})

    with serve(script) as server, pytest.raises(RatingsChangedError):
        fetched(server)


@pytest.mark.parametrize("total", ["100", -1, 1.5, True, [100]])
def test_a_total_that_is_no_count_is_a_data_error(total):
    with serve(lambda _, query, __: page_of(ROWS, query, total=total)) as server:
        with pytest.raises(DataError, match='"total"'):
            read(server)


def test_a_repeated_page_is_an_error():
    with serve(lambda _, query, __: page_of(ROWS, query | {"offset": min(int(query["offset"]), 10)})) as server:
        with pytest.raises(RatingsChangedError, match="should begin with"):
            read(server)


def test_an_empty_page_in_the_middle_is_an_error():
    with serve(lambda _, query, n: page_of(ROWS, query, **({"result": []} if n == 3 else {}))) as server:
        with pytest.raises(RatingsChangedError):
            read(server)


def change_once(before, after, at):
    """A server whose data changes between two requests."""
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


@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_while_paging_ends_in_one_state_of_the_data(before, after, at):
    with serve(change_once(before, after, at)) as server:
        assert fetched(server) in (before, after)


def test_data_that_keeps_changing_is_given_up_after_bounded_attempts():
    with serve(lambda _, query, number: page_of(ROWS[: 50 + number % 50], query)) as server:
        with pytest.raises(RatingsChangedError, match="the total went from"):
            fetched(server)
        assert len(server.requests) <= 12 * ATTEMPTS


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"rating": 7.0}, "column 'rating': found 7.0, expected 0.5 to 5.0"),
        ({"rating": 3.7}, "column 'rating': found 3.7"),
        ({"rating": "4.0"}, "column 'rating': found '4.0'"),
        ({"rating": True}, "column 'rating': found True"),
        ({"rating": None}, "column 'rating': found None"),
        ({"userId": 1.5}, "column 'userId': found 1.5"),
        ({"userId": "1"}, "column 'userId': found '1'"),
        ({"movieId": 2**31}, "column 'movieId': found 2147483648, expected a whole number of 32 bits"),
        ({"timestamp": 10**30}, "column 'timestamp'"),
    ],
)
def test_a_bad_value_is_named_with_its_row_column_and_page(change, found):
    bad = [*ROWS[:17], ROWS[17] | change, *ROWS[18:]]
    with serve(lambda _, query, __: page_of(bad, query)) as server:
        with pytest.raises(DataError, match="row 8, ") as caught:
            read(server)
    assert found in str(caught.value)
    assert "offset=9" in caught.value.exchange.url


@pytest.mark.parametrize("row", [None, 1, "row", [], {"userId": 1}, {}])
def test_a_row_of_the_wrong_shape_is_a_data_error(row):
    with serve(lambda _, query, __: page_of([*ROWS[:3], row], query)) as server:
        with pytest.raises(DataError, match="row 3"):
            read(server)


def test_a_row_that_is_good_when_read_again_is_accepted():
    bad = [ROWS[0] | {"rating": 9}, *ROWS[1:]]
    with serve(lambda _, query, number: page_of(bad if number == 0 else ROWS, query)) as server:
        assert read(server) == ROWS


@pytest.mark.parametrize("rows", [[ROWS[0], ROWS[0]], [ROWS[1], ROWS[0]], [*ROWS[:5], *ROWS[3:8]]])
def test_doubled_and_disordered_rows_are_a_data_error(rows):
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        with pytest.raises(DataError, match=r"same row again|expected rising order"):
            read(server)


def test_a_row_of_the_first_second_beyond_the_window_is_a_data_error():
    beyond = [{"userId": 1, "movieId": 1, "rating": 4.0, "timestamp": 2 * DAY}]
    with serve(lambda *_: page_of(beyond, {})) as server, MovielensClient(server.base_url) as client:
        with pytest.raises(DataError, match=r"172800 lies outside the window \[1970-01-02, 1970-01-03\)"):
            list(client.get_ratings("1970-01-02", "1970-01-03"))
        assert len(server.requests) == 1
    with serve(lambda _, query, __: page_of(beyond, query)) as server, MovielensClient(server.base_url) as client:
        assert len(list(client.get_ratings("1970-01-03", "1970-01-04"))) == 1


def test_ratings_are_asked_for_only_when_they_are_read():
    with (
        serve(lambda _, query, __: page_of(ROWS, query)) as server,
        MovielensClient(server.base_url, page_size=10) as client,
    ):
        rows = client.get_ratings()
        assert len(server.requests) == 0
        next(rows)
        assert len(server.requests) == 1
        rows.close()


def test_rows_outside_the_window_are_a_data_error():
    def passes_over_dates(_, query, __):
        return page_of(ROWS, {name: query[name] for name in ("offset", "limit")})

    with serve(passes_over_dates) as server, MovielensClient(server.base_url) as client:
        with pytest.raises(DataError, match="lies in the window"):
            list(client.get_ratings("1970-01-02", "1970-01-03"))
        with pytest.raises(DataError, match="outside the window"):
            list(client.get_ratings("1970-01-03", "1970-01-04"))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b'{"result": [', b'{"result": [NaN]}', b"[]", b"null", {"rows": []}, {"result": {}}, b"\xff",
     b"[" * 100_000],
)  # fmt: skip
def test_a_success_that_is_no_page_is_a_data_error(body):
    with serve(lambda *_: Answer(body)) as server, pytest.raises(DataError, match="the API's response"):
        read(server)


def test_a_cut_body_is_retried():
    def script(_, query, number):
        page = page_of(ROWS, query)
        page.cut_after = 50 if number in {1, 4} else None
        return page

    with serve(script) as server:
        assert read(server) == ROWS


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_passing_fault_is_retried_within_the_budget(status, sleeps):
    with serve(lambda _, query, number: page_of(ROWS, query) if number >= 3 else Answer({}, status)) as server:
        assert read(server) == ROWS
    assert len(sleeps) == 3


def test_a_lasting_fault_is_raised_when_the_budget_is_spent(sleeps):
    with serve(lambda *_: Answer({"detail": "gone fishing"}, 503)) as server:
        with pytest.raises(RetryableError, match="returned 503: gone fishing"):
            read(server, retries=2)
        assert len(server.requests) == 3


def test_back_off_grows(sleeps):
    with serve(lambda *_: Answer({}, 500)) as server, pytest.raises(RetryableError):
        read(server, retries=4)
    assert all(floor <= wait <= floor + 1 for floor, wait in zip([1, 2, 4, 8], sleeps, strict=True))


@pytest.mark.parametrize("seconds", [2, 7.5, 299])
def test_retry_after_is_obeyed_and_a_little_longer_so_that_clients_do_not_keep_step(seconds, sleeps):
    def script(_, query, number):
        return page_of(ROWS, query) if number else Answer({}, 429, {"Retry-After": str(seconds)})

    with serve(script) as server:
        assert read(server) == ROWS
    (wait,) = sleeps
    assert seconds - 0.5 <= wait <= seconds + 1


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (429, {"Retry-After": "0.5"}), (503, {"Retry-After": "1"})])
def test_a_rate_limit_is_one_warning_for_a_whole_fetch(status, headers, sleeps, caplog):
    refused = set()

    def script(_, query, __):
        if query["offset"] in refused:
            return page_of(ROWS, query)
        refused.add(query["offset"])
        return Answer({}, status, headers)

    with serve(script) as server:
        assert read(server) == ROWS
    assert len(sleeps) > 1
    assert len([record for record in caplog.records if f"returned {status}" in record.message]) == 1


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
def test_a_page_size_that_is_refused_is_lowered(status, most, words, requests, caplog):
    def script(_, query, __):
        return page_of(LONG, query) if int(query["limit"]) <= most else Answer(words, status)

    with serve(script) as server, MovielensClient(server.base_url) as client:
        assert list(client.get_ratings()) == LONG
        assert sum(int(query["limit"]) > most for _, query, _ in server.requests) <= requests - 1
        assert f"The API refuses limit=1000: reading pages of {most} rows instead" in caplog.text
        caplog.clear()
        assert list(client.get_ratings()) == LONG
        assert not caplog.records


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_page_size_that_is_refused_is_named(status):
    refusal = {"detail": "limit: at most 100"}
    with serve(lambda *_: Answer(refusal, status)) as server, pytest.raises(FatalError) as caught:
        read(server)
    assert "refuses this request for limit=" in str(caught.value)
    assert "lower page_size (connection) or batch_size (argument)" in str(caught.value)
    assert "limit: at most 100" in str(caught.value)


def test_a_server_that_asks_for_an_hour_is_not_waited_for(sleeps):
    with serve(lambda *_: Answer({}, 429, {"Retry-After": "3600"})) as server:
        with pytest.raises(RetryableError, match="asks to wait 3,600 s") as caught:
            read(server)
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600
    assert sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 415, 422, 418, 204, 304])
def test_an_error_that_a_retry_cannot_fix_fails_at_once(status, sleeps):
    with serve(lambda *_: Answer({"detail": "the server's own words"} if status >= 400 else b"", status)) as server:
        with pytest.raises(FatalError, match=f"returned {status}") as caught:
            read(server)
        assert len(server.requests) == 1
    assert sleeps == []
    assert status < 400 or "the server's own words" in str(caught.value)


@pytest.mark.parametrize("status", [409, 410])
def test_a_snapshot_that_is_gone_starts_the_window_over(status):
    with serve(lambda _, query, number: Answer({}, status) if number == 4 else page_of(ROWS, query)) as server:
        assert fetched(server) == ROWS


def test_a_redirect_to_another_host_is_refused_and_gets_no_credentials():
    with serve(lambda _, query, __: page_of(ROWS, query)) as other:
        with serve(lambda *_: Answer({}, 302, {"Location": f"{other.base_url}/ratings"})) as server:
            with pytest.raises(FatalError, match=r"redirects to http://127\.0\.0\.1:\d+, whose port differs"):
                read(server)
        assert other.requests == []


def test_a_redirect_within_the_host_is_followed():
    def script(path, query, _):
        if path == "/ratings":
            target = "/v1/ratings?" + "&".join(f"{name}={value}" for name, value in query.items())
            return Answer({}, 307, {"Location": target})
        return page_of(ROWS, query)

    with serve(script) as server:
        assert read(server) == ROWS


def test_a_token_is_sent_instead_of_user_and_password():
    with (
        serve(lambda _, query, __: page_of([], query)) as server,
        MovielensClient(server.base_url, token="t0ken") as client,
    ):
        list(client.get_ratings())
        assert server.requests[0][2]["Authorization"] == "Bearer t0ken"


def test_a_server_without_a_total_cannot_count():
    with serve(lambda _, query, __: page_of(ROWS, query, total=None)) as server:
        with MovielensClient(server.base_url) as client, pytest.raises(DataError, match='no "total"'):
            client.count_ratings()


def test_user_and_password_are_sent_as_utf_8():
    with serve(lambda _, query, __: page_of([], query)) as server:
        with MovielensClient(server.base_url, "jürgen", "pass:wörd") as client:
            list(client.get_ratings())
        kind, _, encoded = server.requests[0][2]["Authorization"].partition(" ")
    assert (kind, base64.b64decode(encoded).decode()) == ("Basic", "jürgen:pass:wörd")


def test_a_server_that_never_responds_is_a_timeout(sleeps):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with MovielensClient(base_url, retries=1, read_timeout=0.2) as client:
            with pytest.raises(RetryableError, match="did not respond in time"):
                client.count_ratings()
    assert len(sleeps) == 1


def test_a_redirect_from_https_to_http_stays_on_https():
    redirect = requests.Response()
    redirect.status_code, redirect.url = 302, "https://api.example.com/ratings"
    redirect.headers["Location"] = "http://api.example.com/ratings/"
    redirect.request = requests.Request("GET", redirect.url).prepare()
    with MovielensClient("https://api.example.com") as client:
        assert client.session.get_redirect_target(redirect) == "https://api.example.com/ratings/"


@pytest.mark.parametrize("location", ["http://[bad", "http://a..b/"])
def test_a_redirect_to_nonsense_is_fatal(location):
    with serve(lambda *_: Answer({}, 302, {"Location": location})) as server, pytest.raises(FatalError):
        read(server)


def test_credentials_that_a_server_echoes_are_not_repeated():
    secret = base64.b64encode(b"user:secret").decode()
    with serve(lambda *_: Answer({"detail": f"you sent Basic {secret}"}, 400)) as server:
        with pytest.raises(FatalError, match=r"you sent Basic \*\*\*") as caught:
            read(server)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<p>you sent s3cret</p>", headers={"Content-Type": "text/html"}),
        page_of([ROWS[0] | {"rating": "s3cret"}], {}),
    ],
)
def test_credentials_repeated_in_a_success_are_not_shown(answer, caplog):
    with serve(lambda *_: answer) as server, MovielensClient(server.base_url, "user", "s3cret", retries=1) as client:
        with pytest.raises(DataError, match=r"\*\*\*") as caught:
            list(client.get_ratings())
    assert "Attempt 1 failed" in caplog.text
    assert "s3cret" not in str(caught.value) + caplog.text


def test_credentials_repeated_in_a_count_are_not_shown():
    with serve(lambda *_: page_of(ROWS, {}, total="s3cret")) as server:
        with MovielensClient(server.base_url, "user", "s3cret", retries=0) as client:
            with pytest.raises(DataError, match=r"\*\*\*") as caught:
                client.count_ratings()
    assert "s3cret" not in str(caught.value)


def test_a_text_that_is_no_unicode_is_a_data_error():
    movie = {"movieId": 1, "title": "\ud800", "year": 1995, "genres": None}
    with serve(lambda _, query, __: page_of([movie], query)) as server, MovielensClient(server.base_url) as client:
        with pytest.raises(DataError, match="not valid Unicode"):
            list(client.get_movies())


def http10(rows, query, accept, formats, *, has_total):
    """A page of a server of HTTP/1.0 that has these formats and sends no Content-Length."""
    page = page_of(rows, query)
    media_type = next((name for name in formats if name in accept), formats[0])
    body = page.encoded()
    if media_type == NDJSON:
        body = b"".join(json.dumps(row).encode() + b"\n" for row in page.body["result"])
    elif not has_total:
        body = json.dumps({"result": page.body["result"]}).encode()
    headers = {"Content-Type": media_type} | ({"X-Total-Count": str(page.body["total"])} if has_total else {})
    return Answer(body, headers=headers, is_close_delimited=True)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100])
@pytest.mark.parametrize(
    ("formats", "has_total"),
    [([JSON], True), ([JSON], False), ([NDJSON], True), ([NDJSON, JSON], True), ([NDJSON, JSON], False)],
)
def test_a_server_of_http_1_0_without_content_length_loses_nothing(formats, has_total, count):
    def script(_, query, number):
        accept = server.requests[number][2]["Accept"]
        return http10(ROWS[:count], query, accept, formats, has_total=has_total)

    with serve(script) as server:
        assert fetched(server, DAY_2) == ROWS[:count]


@pytest.mark.parametrize("count", [0, 1, 25])
def test_an_empty_page_without_the_bytes_that_its_coding_has_loses_nothing(count):
    def script(_, query, __):
        page = page_of(ROWS[:count], query, total=None)
        return (
            page if page.body["result"] else Answer(b"", headers={"Content-Encoding": "gzip", "Content-Type": NDJSON})
        )

    with serve(script) as server:
        assert fetched(server, DAY_2, retries=0) == ROWS[:count]


@pytest.mark.parametrize("status", [204, 400, 404, 413, 416, 422, 500])
def test_a_server_that_does_not_take_a_limit_of_zero_counts(status):
    def script(_, query, __):
        return page_of(ROWS, query) if int(query["limit"]) else Answer(b"", status)

    with serve(script) as server, MovielensClient(server.base_url) as client:
        assert client.count_ratings(DAY_2.start, DAY_2.end) == len(ROWS)


def test_a_link_with_two_slashes_stays_on_the_host():
    def script(_, query, number):
        host = server.requests[number][2]["Host"]
        offset = int(query.get("cursor", query["offset"]))
        page = page_of(ROWS, query | {"offset": str(offset)})
        more = f'<http://{host}//ratings?{urlencode(query | {"cursor": offset + 10})}>; rel="next"'
        return Answer(page.body, headers={"Link": more} if offset + 10 < len(ROWS) else {})

    with serve(script) as server:
        assert fetched(server, DAY_2) == ROWS


@pytest.mark.parametrize("count", [0, 100])
def test_an_empty_page_that_may_have_been_cut_is_no_proof_of_the_end(count):
    with serve(lambda _, query, __: http10(ROWS[:count], query, "", [NDJSON], has_total=False)) as server:
        with pytest.raises(DataError, match="may be truncated: the API must send Content-Length, X-Total-Count, or"):
            fetched(server, DAY_2, retries=0)


def test_a_day_beside_the_window_that_is_counted_but_not_shown_proves_nothing():
    def script(_, query, __):
        is_beside = query["start_date"] != "1970-01-02"
        return page_of(ROWS, query, **({"result": [], "total": 3} if is_beside else {}))

    with serve(script) as server:
        with pytest.raises(RatingsChangedError, match=r"counts 3 ratings of .* but shows none at row 0"):
            fetched(server, DAY_2, retries=0)


@pytest.mark.parametrize("form", ["/ratings?{}", "http://127.0.0.1:{port}/ratings?{}", "/api/v1/ratings?{}", "?{}"])
def test_a_link_that_lacks_the_prefix_of_a_proxy_is_followed(form):
    def script(path, query, _):
        if path != "/api/v1/ratings":
            return Answer({"detail": "no such path"}, 404)
        page = page_of(ROWS, query, total=None)
        end = int(query["offset"]) + len(page.body["result"])
        link = form.format(urlencode(query | {"offset": end}), port=server.base_url.rpartition(":")[2])
        page.headers = {"Link": f'<{link}>; rel="next"'} if end < len(ROWS) else {}
        return page

    with serve(script) as server, MovielensClient(f"{server.base_url}/api/v1", page_size=10) as client:
        assert list(client.get_ratings()) == ROWS
