from __future__ import annotations

import pytest

from airflow_movielens.client import ClientSettings, FatalError, build_base_url


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        (None, None, None, "http://localhost:5000"),
        ("api", None, None, "http://api:5000"),
        ("api", "https", 443, "https://api:443"),
        ("api", "HTTPS", None, "https://api:443"),
        ("api:8080", None, None, "http://api:8080"),
        ("api/v1/", None, 80, "http://api:80/v1"),
        ("https://api.example.com", None, None, "https://api.example.com"),
        ("https://api.example.com/movielens/", "http", None, "https://api.example.com/movielens"),
        ("http://api:9000", None, 5000, "http://api:9000"),
        ("http://api", None, 5000, "http://api:5000"),
        ("::1", None, 5000, "http://[::1]:5000"),
        (" api ", None, 5000, "http://api:5000"),
    ],
)
def test_parts_make_a_base_url(host, schema, port, url):
    assert build_base_url(host, schema, port) == url


@pytest.mark.parametrize(
    ("host", "schema", "why"),
    [
        ("ftp://api", None, "not an http or https URL"),
        ("api", "ftp", "schema is 'ftp': give http or https"),
        ("http://api", "https", "host 'http://api' says http, but schema says https"),
        ("http://", None, "not an http or https URL"),
        ("http://api//v1", None, "has two slashes at the start of its path: give one"),
        ("http://api:notaport", None, "unusable"),
        ("http://api:99999", None, "unusable"),
        ("http://api?x=1", None, "must end before"),
        ("a\nb", None, "it has a space or a control character"),
        ("http://a\udcff", None, "it has a space or a control character"),
    ],
)
def test_an_unusable_address_is_refused(host, schema, why):
    with pytest.raises(FatalError, match=why):
        build_base_url(host, schema)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_invalid_port_is_refused(port):
    with pytest.raises(FatalError, match=f"port is {port}: give one from 1 to 65535"):
        build_base_url("api", "http", port)


@pytest.mark.parametrize(
    "address", ["http://user:hunter2@api", "http://user:hunter2@api\n", "http://user:hunt hunter2@api"]
)
def test_credentials_in_the_address_are_refused_and_not_repeated(address):
    with pytest.raises(FatalError, match=r"must not hold credentials|has a space or a control character") as caught:
        build_base_url(address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"page_size": 0},
        {"page_size": True},
        {"page_size": "many"},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": None},
        {"concurrency": "4"},
        {"concurrency": 0},
        {"concurrency": 1_001},
        {"page_size": 2**63},
        {"read_timeout": "10"},
        {"total_timeout": None},
        {"requests_per_second": 0},
        {"max_seconds": 0},
        {"max_rows": 0},
        {"max_rows": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(FatalError, match=str(next(iter(change.values())))):
        ClientSettings("http://api", **change)


def test_secrets_are_not_in_the_settings_repr():
    shown = repr(ClientSettings("http://api", "user", "hunter2", "t0ken"))
    assert "hunter2" not in shown
    assert "t0ken" not in shown


@pytest.mark.parametrize("token", ["t0ken\n", "t0 ken", "tökén", ""])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(token):
    with pytest.raises(FatalError, match="printable ASCII") as caught:
        ClientSettings("http://api", token=token)
    assert not token or token not in str(caught.value)
