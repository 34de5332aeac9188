"""The client against the real server, compared with the data it serves."""

from __future__ import annotations

import base64
from itertools import islice

import pytest

from airflow_movielens.client import FatalError, MovielensClient, RetryableError

pytestmark = pytest.mark.slow

DAY = 86_400
NOV_15_2000 = 974_246_400


@pytest.fixture
def client(api):
    with MovielensClient(api.base_url, api.user, api.password) as client:
        yield client


def window_of(truth, start, end):
    rows = truth[(truth["timestamp"] >= start) & (truth["timestamp"] < end)]
    return rows[["userId", "movieId", "rating", "timestamp"]].to_dict("records")


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100, 1475, 1476, 10_000, None])
def test_a_day_is_complete_whatever_the_page_size(client, truth, batch_size):
    rows = list(client.get_ratings("2000-11-21", "2000-11-22", batch_size))
    assert rows == window_of(truth, NOV_15_2000 + 6 * DAY, NOV_15_2000 + 7 * DAY)
    assert len(rows) == 1475


def test_the_whole_table_is_in_canonical_order(client, truth):
    rows = list(client.get_ratings(batch_size=10_000))
    assert rows == window_of(truth, 0, 2**40)


def test_an_open_window_has_one_bound(client, truth):
    assert len(list(client.get_ratings(start_date="2000-11-21", batch_size=10_000))) + len(
        list(client.get_ratings(end_date="2000-11-21", batch_size=10_000))
    ) == len(truth)


def test_a_day_without_ratings_and_an_empty_window_have_no_rows(client):
    assert list(client.get_ratings("2000-11-18", "2000-11-19")) == []
    assert list(client.get_ratings("2000-11-21", "2000-11-21")) == []


def test_ratings_are_read_lazily(client):
    first = list(islice(client.get_ratings(batch_size=10), 3))
    assert [row["userId"] for row in first] == [383, 383, 383]


def test_counting_requests_no_rows(client):
    assert client.count_ratings() == 100_004
    assert client.count_ratings("2000-11-21", "2000-11-22") == 1475


def test_movies_and_users_are_complete(client, truth):
    movies = list(client.get_movies(batch_size=1000))
    assert [movie["movieId"] for movie in movies] == sorted(truth["movieId"].unique())
    assert next(movie for movie in movies if movie["movieId"] == 912)["title"] == "Casablanca"
    users = {user["userId"]: user["num_ratings"] for user in client.get_users(batch_size=500)}
    assert users == truth.groupby("userId").size().to_dict()


def test_wrong_credentials_fail_at_once_and_are_not_shown(api, sleeps):
    wrong = MovielensClient(api.base_url, api.user, "hunter2")
    with wrong, pytest.raises(FatalError, match="refuses the credentials") as caught:
        wrong.count_ratings()
    assert caught.value.exchange.status == 401
    assert sleeps == []
    assert "hunter2" not in str(caught.value)
    assert base64.b64encode(f"{api.user}:hunter2".encode()).decode() not in str(caught.value)


def test_an_unreachable_api_is_retried_and_then_reported_clearly(sleeps):
    with MovielensClient("http://127.0.0.1:9", retries=2) as client:
        with pytest.raises(RetryableError, match="no connection to the API: is it running, are host and port right"):
            client.count_ratings()
    assert len(sleeps) == 2


def test_a_page_size_that_the_server_refuses_is_lowered_to_its_maximum(client, truth, caplog):
    assert len(list(client.get_ratings(batch_size=20_000))) == len(truth)
    assert "The API refuses limit=20000: reading pages of 10000 rows instead" in caplog.text
