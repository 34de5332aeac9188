"""Bad rows and responses that are not pages: named with row, column and page."""

from __future__ import annotations

import pytest
from unit.client_reads import ROWS, read
from unit.scripted_server import DAY, Response, page_of, serve

from airflow_movielens.client import DataError, MovielensClient


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
def test_a_successful_response_that_is_not_a_page_is_a_data_error(body):
    with serve(lambda *_: Response(body)) as server, pytest.raises(DataError, match="the API's response"):
        read(server)


@pytest.mark.parametrize("total", ["100", -1, 1.5, True, [100]])
def test_a_total_that_is_not_a_count_is_a_data_error(total):
    with serve(lambda _, query, __: page_of(ROWS, query, total=total)) as server:
        with pytest.raises(DataError, match='"total"'):
            read(server)


def test_text_that_is_not_unicode_is_a_data_error():
    movie = {"movieId": 1, "title": "\ud800", "year": 1995, "genres": None}
    with serve(lambda _, query, __: page_of([movie], query)) as server, MovielensClient(server.base_url) as client:
        with pytest.raises(DataError, match="not valid Unicode"):
            list(client.get_movies())
