"""The hook and its connection type."""

from __future__ import annotations

import json
from pathlib import Path

import airflow
import jsonschema
import polars as pl
import pytest
from unit.scripted_server import Response, serve

from airflow_movielens.client import RetryableError
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


def test_nothing_is_requested_before_the_first_rating_is_read(connection):
    connection(port=9)
    hook = MovielensHook("movielens", retry=0)
    ratings = hook.get_ratings()
    with pytest.raises(RetryableError):
        next(ratings)


def test_the_argument_retry_sets_how_often_a_request_is_retried(connection):
    with serve(lambda *_: Response({}, 503, {"Retry-After": "0"})) as server:
        connection(host=server.base_url)
        with MovielensHook("movielens", retry=2) as hook, pytest.raises(RetryableError):
            next(hook.get_ratings())
        assert len(server.requests) == 3


def test_a_function_responds_instead_of_the_api(connection):
    connection(host="http://api.test", port=8080, login="me", password="pass-word")
    requested = []

    def respond(url, headers):
        requested.append((url, headers["Authorization"]))
        return 200, {"Content-Type": "application/json"}, b'{"result": [], "total": 0}'

    with MovielensHook("movielens", transport=respond) as hook:
        assert list(hook.get_ratings()) == []
        assert hook.test_connection() == (True, "Connected to http://api.test:8080: it holds 0 ratings.")
    assert requested[0] == ("http://api.test:8080/ratings?offset=0&limit=1000", "Basic bWU6cGFzcy13b3Jk")


def test_movies_and_users_are_dicts():
    with MovielensHook("movielens") as hook:
        assert next(hook.get_movies()) == {
            "movieId": 1,
            "title": "Toy Story",
            "year": 1995,
            "genres": "Adventure|Animation|Children|Comedy|Fantasy",
        }
        assert next(hook.get_users()) == {"userId": 1, "num_ratings": 20}


def test_frames_hold_the_same_rows():
    with MovielensHook("movielens", concurrency=1) as hook:
        frames = list(hook.get_rating_frames("2000-11-20", "2000-11-21", batch_size=500))
        assert pl.concat(frames).to_dicts() == list(hook.get_ratings("2000-11-20", "2000-11-21"))


def test_airflow_knows_the_provider_and_its_connection_type():
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["airflow-movielens"].data.items() >= get_provider_info().items()
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
    except ImportError:  # Airflow 3.1
        hook = manager.hooks["movielens"]
    else:
        hook = ProvidersManagerTaskRuntime().hooks["movielens"]
    assert hook.hook_name == MovielensHook.hook_name
    assert hook.hook_class_name == "airflow_movielens.hooks.MovielensHook"


def test_the_provider_info_obeys_airflows_schema():
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_reading_continues_if_lineage_cannot_be_collected(connection, caplog):
    caplog.set_level("DEBUG", "airflow_movielens")
    users = [{"userId": 1, "num_ratings": 20}]
    with serve(
        lambda _path, _query, _number: Response({"result": users, "offset": 0, "limit": 100, "total": 1})
    ) as api:
        connection(host=f"{api.base_url}/{'long/' * 300}", port=None)  # longer than the URI of an asset may be
        with MovielensHook("movielens") as hook:
            assert next(hook.get_users()) == users[0]
    assert "No lineage of" in caplog.text
