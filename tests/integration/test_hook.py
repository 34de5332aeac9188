"""The hook and its connection type."""

import json
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.sdk import Connection
from unit.scripted_server import Answer, serve

from airflow_movielens.client import FatalError, RetryableError
from airflow_movielens.connection import settings_from_connection
from airflow_movielens.hooks import MovielensHook
from airflow_movielens.provider import get_provider_info


def test_get_conn_gives_an_authenticated_session_and_the_base_url_once(api):
    with MovielensHook("movielens") as hook:
        session, base_url = hook.get_conn()
        assert base_url == api.base_url
        assert session.get(f"{base_url}/ratings", params={"limit": 0}).json()["total"] == 100_004
        assert hook.get_conn().session is session


def test_the_default_connection_is_movielens_default():
    with MovielensHook() as hook:
        assert hook.conn_id == "movielens_default"
        assert next(hook.get_ratings("2000-11-20", "2000-11-21"))["timestamp"] >= 974_678_400


def test_nothing_is_asked_before_the_first_rating_is_read(connection):
    connection(port=9)
    hook = MovielensHook("movielens", retry=0)
    ratings = hook.get_ratings()
    with pytest.raises(RetryableError):
        next(ratings)


def test_retry_is_how_often_a_request_is_repeated(connection):
    with serve(lambda *_: Answer({}, 503, {"Retry-After": "0"})) as server:
        connection(host=server.base_url)
        with MovielensHook("movielens", retry=2) as hook, pytest.raises(RetryableError):
            next(hook.get_ratings())
        assert len(server.requests) == 3


def test_movies_and_users_are_dicts():
    with MovielensHook("movielens") as hook:
        assert next(hook.get_movies()) == {
            "movieId": 1,
            "title": "Toy Story",
            "year": 1995,
            "genres": "Adventure|Animation|Children|Comedy|Fantasy",
        }
        assert next(hook.get_users()) == {"userId": 1, "num_ratings": 20}


@pytest.mark.parametrize(
    ("changes", "ok", "sentence"),
    [
        ({}, True, "it holds 100,004 ratings"),
        ({"password": "hunter2"}, False, "refuses the credentials"),
        ({"port": 9}, False, "no connection to the API"),
        ({"host": "ftp://nowhere"}, False, "not an http or https URL"),
        ({"schema": "https"}, False, "no secure connection to the API"),
    ],
)
def test_test_connection_says_it_in_a_sentence(connection, changes, ok, sentence):
    connection(**changes)
    answer = MovielensHook("movielens", retry=0).test_connection()
    assert answer[0] is ok
    assert sentence in answer[1]
    assert "hunter2" not in answer[1]


@pytest.mark.parametrize(
    ("parts", "base_url", "page_size"),
    [
        ({}, "http://localhost:5000", 1000),
        ({"host": "api", "schema": "https", "port": 443}, "https://api:443", 1000),
        ({"host": "https://api.example.com/v1"}, "https://api.example.com/v1", 1000),
        ({"extra": json.dumps({"page_size": 50})}, "http://localhost:5000", 50),
        ({"extra": json.dumps({"page_size": "50"})}, "http://localhost:5000", 50),
        ({"extra": json.dumps({"page_size": None})}, "http://localhost:5000", 1000),
    ],
)
def test_a_connection_becomes_settings(parts, base_url, page_size):
    settings = settings_from_connection(Connection(conn_id="c", conn_type="movielens", **parts), retries=3)
    assert (settings.base_url, settings.page_size) == (base_url, page_size)


def test_a_token_comes_from_the_extra():
    connection = Connection(conn_id="c", conn_type="movielens", extra=json.dumps({"api_token": "t0ken"}))
    assert settings_from_connection(connection, retries=0).token == "t0ken"


@pytest.mark.parametrize("page_size", ["many", -1, [1]])
def test_an_unusable_connection_is_named(page_size):
    connection = Connection(conn_id="shop", conn_type="movielens", extra=json.dumps({"page_size": page_size}))
    with pytest.raises(FatalError, match=r"connection 'shop': .*page.size"):
        settings_from_connection(connection, retries=0)


def test_airflow_knows_the_provider_and_its_connection_type():
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    manager = ProvidersManager()
    assert manager.providers["airflow-movielens"].data.items() >= get_provider_info().items()
    hook = ProvidersManagerTaskRuntime().hooks["movielens"]
    assert hook.hook_name == MovielensHook.hook_name
    assert hook.hook_class_name == "airflow_movielens.hooks.MovielensHook"


def test_the_provider_info_obeys_airflows_schema():
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)
