"""Mistakes in the storage of an output or input: one clear sentence, before anything is requested from the API."""

from __future__ import annotations

import json
import sys

import pytest
from airflow.sdk.exceptions import AirflowFailException
from distributed.object_storage.conftest import SECRET
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import RetryableError
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

WINDOW = {"start_date": "1970-01-02", "end_date": "1970-01-03"}
WRONG_KEY = "The access key ID you provided does not exist in our records."
WRONG_SECRET = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


@pytest.fixture(scope="module")
def the_server():
    rows = ratings(10)
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        yield server


@pytest.fixture
def server(the_server, monkeypatch):
    the_server.requests.clear()
    monkeypatch.setenv(
        "AIRFLOW_CONN_MOVIELENS_DEFAULT", json.dumps({"conn_type": "movielens", "host": the_server.base_url})
    )
    return the_server


def fetch(url):
    return MovielensFetchRatingsOperator(task_id="fetch", output_path=url, **WINDOW).execute({})


def rank(input_path, output_path):
    return MovielensRankMoviesOperator(task_id="rank", input_path=input_path, output_path=output_path).execute({})


def check_that_nothing_was_fetched(server, message, *texts):
    assert not server.requests
    assert not any(SECRET in text or "guess" in text for text in (message, *texts))


@pytest.mark.parametrize(("conn_id", "words"), [("wrong_key", WRONG_KEY), ("wrong_secret", WRONG_SECRET)])
def test_wrong_credentials_fail_a_task_after_one_request(bucket, server, caplog, conn_id, words):
    url = bucket.url("r.csv", conn_id)
    with pytest.raises(AirflowFailException) as failure:
        fetch(url)
    assert str(failure.value) == f"{url} cannot be written: {words}"
    assert bucket.proxy.names() == ["list"]
    check_that_nothing_was_fetched(server, str(failure.value), caplog.text)


def test_a_missing_bucket_fails_a_task_after_one_request(bucket, server, caplog):
    url = "s3://movielens_s3@no-such-bucket/r.csv"
    with pytest.raises(AirflowFailException, match=f"^{url} cannot be written: no such bucket$") as failure:
        fetch(url)
    assert bucket.proxy.names() == ["list"]
    check_that_nothing_was_fetched(server, str(failure.value), caplog.text)


def test_a_missing_connection_is_named_before_any_request(bucket, server, monkeypatch):
    # Otherwise the credentials of this machine would be used, as Airflow's Amazon provider does.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AirflowFailException, match=r"no_such_connection.*: create it, or set AIRFLOW_CONN_") as failure:
        fetch(bucket.url("r.csv", "no_such_connection"))
    assert not bucket.proxy.requests
    check_that_nothing_was_fetched(server, str(failure.value))


def test_a_missing_package_is_named_before_any_request(bucket, server, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(AirflowFailException, match=r"install apache-airflow-providers-amazon\[s3fs\]"):
        fetch(bucket.url("r.csv", "wrong_package"))
    assert not server.requests
    assert not bucket.proxy.requests


@pytest.mark.parametrize(("conn_id", "words"), [("wrong_key", WRONG_KEY), ("wrong_secret", WRONG_SECRET)])
def test_wrong_credentials_for_an_input_fail_a_ranking_after_one_request(bucket, tmp_path, conn_id, words):
    url = bucket.url("days/*.csv", conn_id)
    with pytest.raises(AirflowFailException) as failure:
        rank(url, str(tmp_path / "ranking.csv"))
    assert str(failure.value) == f"{url} cannot be listed: {words}"
    assert bucket.proxy.names() == ["list"]


def test_a_store_that_cannot_be_reached_is_worth_a_retry(bucket, server, monkeypatch):
    extra = {
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    connection = {"conn_type": "aws", "login": "key", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_UNREACHABLE", json.dumps(connection))
    with pytest.raises(RetryableError, match=r"r\.csv cannot be written: Could not connect") as failure:
        fetch(bucket.url("r.csv", "unreachable"))
    check_that_nothing_was_fetched(server, str(failure.value))
