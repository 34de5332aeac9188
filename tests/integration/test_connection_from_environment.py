"""Connections defined in the environment as URI or JSON, and the masking of their secrets in task logs."""

from __future__ import annotations

import json

import pytest

from airflow_movielens.client import FatalError
from airflow_movielens.client.secret import Secret
from airflow_movielens.hooks import MovielensHook


@pytest.fixture
def define(monkeypatch):
    def define(value):
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", value if isinstance(value, str) else json.dumps(value))
        with MovielensHook("shop") as hook:
            return hook.client.settings

    return define


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "movielens://user:p%40ss@host:5000/https?page_size=500",
            {"base_url": "https://host:5000", "user": "user", "password": Secret("p@ss"), "page_size": 500},
        ),
        (
            "movielens://me%40example.com:%2F%40%3A%25%2B%20%3F%23@host",
            {"base_url": "http://host:5000", "user": "me@example.com", "password": Secret("/@:%+ ?#")},
        ),
        ("movielens://https%3A%2F%2Fapi.example.com%2Fv1", {"base_url": "https://api.example.com/v1"}),
        ("movielens://https%3A%2F%2Fapi.example.com%2Fv1:8443", {"base_url": "https://api.example.com:8443/v1"}),
        (
            "movielens://https://me:secret@api.example.com%2Fv1",
            {"base_url": "https://api.example.com/v1", "user": "me", "password": Secret("secret")},
        ),
        ("movielens://api.example.com%2Fv1:443/https", {"base_url": "https://api.example.com:443/v1"}),
        ("movielens://", {"base_url": "http://localhost:5000"}),
        (
            "movielens://host?concurrency=2&read_timeout=2.5&requests_per_second=9&verify_tls=false&api_token=007&ca_file=",
            {
                "concurrency": 2,
                "read_timeout": 2.5,
                "requests_per_second": 9.0,
                "verify_tls": False,
                "token": Secret("007"),
                "ca_file": None,
            },
        ),
        (
            "movielens://host/?__extra__=%7B%22page_size%22%3A%20500%2C%20%22verify_tls%22%3A%20false%7D",
            {"page_size": 500, "verify_tls": False},
        ),
    ],
)
def test_a_uri_defines_a_connection(define, uri, expected):
    settings = define(uri)
    assert {name: getattr(settings, name) for name in expected} == expected


def test_json_defines_a_connection(define):
    settings = define(
        {"conn_type": "movielens", "host": "h", "port": "80", "schema": "https", "extra": {"page_size": 5}}
    )
    assert (settings.base_url, settings.page_size) == ("https://h:80", 5)
    assert define({"conn_type": "movielens", "extra": '{"page_size": 5}'}).page_size == 5


UNREADABLE = [
    "movielens://me:hunter2/slash@host",
    "movielens://me:hunter2@host:port",
    '{"conn_type": "movielens", "password": "hunter2"',
    {"conn_type": "movielens", "port": "many", "password": "hunter2"},
    {"conn_type": "movielens", "user": "me", "password": "hunter2"},
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_definition_that_airflow_cannot_read_is_not_reported_as_missing(define, value):
    with pytest.raises(
        FatalError, match=r"^connection 'shop': AIRFLOW_CONN_SHOP is set, but Airflow cannot read"
    ) as caught:
        define(value)
    assert "hunter2" not in str(caught.value)


def test_an_undefined_connection_is_reported_as_missing():
    from airflow.exceptions import AirflowNotFoundException

    with pytest.raises(AirflowNotFoundException, match="nowhere"):
        MovielensHook("nowhere").get_conn()


def test_secrets_are_masked_in_a_tasks_log(define, supervised):
    from airflow.sdk.log import mask_logs

    # In Airflow 3.1, the connections and masks of a task differ from those of its server.
    supervised(lambda _: None)
    # Secrets that no other test uses, because theirs would be masked here too.
    define({"conn_type": "movielens", "password": "correct-horse", "extra": {"api_token": "battery-staple"}})
    line = mask_logs(None, "info", {"event": "The password is correct-horse, the token is battery-staple"})
    assert line["event"] == "The password is ***, the token is ***"
