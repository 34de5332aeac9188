"""The client of a connection, and the errors for unusable fields."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from airflow.sdk import Connection

from airflow_movielens.client import ClientSettings, FatalError
from airflow_movielens.client.secret import Secret
from airflow_movielens.connection.client_factory import EXTRA_FIELDS, client_from_connection
from airflow_movielens.hooks import MovielensHook


def settings_of(**extra):
    with client_from_connection(Connection(conn_id="shop", conn_type="movielens", extra=json.dumps(extra))) as client:
        return client.settings


@pytest.mark.parametrize(
    ("parts", "base_url"),
    [
        ({}, "http://localhost:5000"),
        ({"host": "api", "schema": "https", "port": 443}, "https://api:443"),
        ({"host": "api", "schema": "https", "port": 0}, "https://api:443"),
        ({"host": "https://api.example.com/v1"}, "https://api.example.com/v1"),
        ({"host": "https://api.example.com/v1", "schema": "", "port": 8443}, "https://api.example.com:8443/v1"),
        ({"host": "api", "schema": "HTTPS"}, "https://api:443"),
    ],
)
def test_host_schema_and_port_become_an_address(parts, base_url):
    with client_from_connection(Connection(conn_id="c", conn_type="movielens", **parts), retries=5) as client:
        assert client.settings == ClientSettings(base_url, retries=5)


READ = [
    ("page_size", 50, "page_size", 50),
    ("page_size", "50", "page_size", 50),
    ("concurrency", "4", "concurrency", 4),
    ("requests_per_second", "2.5", "requests_per_second", 2.5),
    ("requests_per_second", 10, "requests_per_second", 10.0),
    ("connect_timeout", 3, "connect_timeout", 3.0),
    ("read_timeout", "30", "read_timeout", 30.0),
    ("total_timeout", 99.5, "total_timeout", 99.5),
    ("data_format", "arrow", "data_format", "arrow"),
    ("verify_tls", False, "verify_tls", False),
    ("verify_tls", "false", "verify_tls", False),
    ("verify_tls", "False ", "verify_tls", False),
    ("verify_tls", "0", "verify_tls", False),
    ("verify_tls", 0, "verify_tls", False),
    ("verify_tls", "true", "verify_tls", True),
    ("ca_file", "/etc/ca.pem", "ca_file", "/etc/ca.pem"),
    ("client_certificate", "/etc/me.pem", "client_certificate", "/etc/me.pem"),
    ("client_key", "/etc/me.key", "client_key", "/etc/me.key"),
    ("api_token", "t0ken", "token", Secret("t0ken")),
    ("api_token", 12345, "token", Secret("12345")),
    ("time_zone", "Asia/Seoul", "time_zone", "Asia/Seoul"),
    ("max_rows", "1000", "max_rows", 1000),
    ("max_seconds", 9.5, "max_seconds", 9.5),
]


@pytest.mark.parametrize(("field", "given", "setting", "expected"), READ)
def test_a_field_becomes_a_setting(field, given, setting, expected):
    found = settings_of(
        **{field: given, "client_certificate": "/etc/me.pem"} if field == "client_key" else {field: given}
    )
    assert getattr(found, setting) == expected


@pytest.mark.parametrize("field", EXTRA_FIELDS)
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_field_means_the_default(field, empty):
    assert settings_of(**{field: empty}) == ClientSettings("http://localhost:5000")


REFUSED = [
    *(
        (field, value)
        for field in ("page_size", "concurrency", "max_rows")
        for value in ("many", 0, -1, 1.5, True, [1])
    ),
    *(
        (field, value)
        for field in ("requests_per_second", "connect_timeout", "read_timeout", "total_timeout", "max_seconds")
        for value in ("soon", 0, -1, True, "nan", "inf", [1])
    ),
    ("data_format", "xml"),
    ("data_format", 1),
    ("verify_tls", "perhaps"),
    ("verify_tls", 2),
    *((field, 1.5) for field in ("ca_file", "client_certificate", "client_key", "api_token")),
]


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_an_unusable_field_is_reported_with_its_connection(field, value):
    with pytest.raises(FatalError, match=rf"^connection 'shop': {field} is "):
        settings_of(**{field: value})


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"schema": "v1"}, "schema is 'v1': give http or https; a path prefix belongs to the host"),
        ({"port": 70_000}, "port is 70000: give one from 1 to 65535"),
        ({"host": "ftp://api"}, "host: the API's address 'ftp://api' is not an http or https URL with a host"),
        ({"login": 1.5}, "login is not text but float"),
        ({"password": ["hunter2"]}, "password is not text but list"),
        ({"extra": "page_size=5"}, 'extra is not a JSON object such as {"page_size": 500}'),
        ({"extra": "[1]"}, "extra is not a JSON object"),
    ],
)
def test_an_unusable_part_is_reported_with_its_connection(parts, problem):
    with pytest.raises(FatalError) as caught:
        client_from_connection(Connection(conn_id="shop", conn_type="movielens", **parts))
    assert str(caught.value).startswith(f"connection 'shop': {problem}")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_field_is_reported(caplog):
    assert settings_of(pagesize=5, page_size=50).page_size == 50
    assert "Connection 'shop': its extra has ['pagesize'], which this provider ignores" in caplog.text


def test_a_token_that_is_not_text_is_not_repeated():
    with pytest.raises(FatalError) as caught:
        settings_of(api_token={"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_hooks_concurrency_overrides_the_connections(connection):
    connection(extra=json.dumps({"concurrency": 8, "page_size": 10}))
    with MovielensHook("movielens") as hook:
        assert hook.client.settings.concurrency == 8
    with MovielensHook("movielens", concurrency=2) as hook:
        assert (hook.client.settings.concurrency, hook.client.settings.page_size) == (2, 10)
    with pytest.raises(FatalError, match="concurrency is 0"):
        _ = MovielensHook("movielens", concurrency=0).client


def test_every_setting_has_a_field_of_a_connection():
    by_itself = {"base_url", "user", "password", "retries"}
    made = {"token" if name == "api_token" else name for name in EXTRA_FIELDS}
    assert made | by_itself == {field.name for field in fields(ClientSettings)}


def test_a_token_is_masked_in_logs_however_the_connection_was_read():
    from airflow.sdk.log import mask_logs

    assert settings_of(api_token="s3aled-envelope").token.reveal() == "s3aled-envelope"
    assert mask_logs(None, "info", {"event": "It is s3aled-envelope"})["event"] == "It is ***"


@pytest.mark.parametrize(
    ("kind", "host", "schema", "port", "url"),
    [
        ("https", "api", "", None, "https://api:443"),
        ("https", "api", "v1/x", 8443, "https://api:8443/v1/x"),
        ("https", "api", "http", None, "https://api:443"),
        ("http", "api", "https", None, "https://api:443"),
        ("http", "api", "v1", None, "http://api:5000/v1"),
        ("movielens", "api", "https", None, "https://api:443"),
    ],
)
def test_the_type_of_a_connection_may_be_its_scheme(kind, host, schema, port, url):
    given = Connection(conn_id="c", conn_type=kind, host=host, schema=schema, port=port)
    assert client_from_connection(given).settings.base_url == url


@pytest.mark.parametrize(("kind", "host"), [("ftp", "api"), ("movielens+https", "api"), ("https", "http://api")])
def test_a_type_and_a_host_that_contradict_each_other_are_refused(kind, host):
    given = Connection(conn_id="c", conn_type=kind, host=host, login="me", password="hunter2")
    with pytest.raises(FatalError, match="connection 'c'") as caught:
        client_from_connection(given)
    assert "hunter2" not in str(caught.value)
