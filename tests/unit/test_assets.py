"""The `movielens://` asset scheme, as Airflow itself applies it."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset

from airflow_movielens.assets import convert_asset_to_openlineage, create_asset
from airflow_movielens.client import FatalError, build_base_url
from airflow_movielens.lineage import table_of_api
from airflow_movielens.ratings.schema import RATINGS


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("movielens://localhost:5000/ratings", "movielens://localhost:5000/ratings"),
        ("MovieLens://LocalHost:5000/ratings/", "movielens://localhost:5000/ratings"),
        ("movielens://example.com/api/v1/movies", "movielens://example.com/api/v1/movies"),
        ("movielens://[::1]:5000/users", "movielens://[::1]:5000/users"),
        ("movielens://localhost:5000/ratings#part", "movielens://localhost:5000/ratings"),
    ],
)
def test_a_uri_is_normalised(given, meant):
    assert Asset(given).uri == meant


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("movielens:///ratings", "with a host"),
        ("movielens://localhost:99999/ratings", "unusable"),
        ("movielens://localhost:5000", "ratings, movies or users"),
        ("movielens://localhost:5000/tags", "ratings, movies or users"),
        ("movielens://localhost:5000//ratings", "ratings, movies or users"),
        (
            "movielens://localhost:5000/ratings?start_date=2000-11-20",
            "is not of the form movielens://host:port/resource",
        ),
        ("movielens://token@localhost:5000/ratings", r"^a movielens:// URI must not hold credentials: (?!.*token)"),
    ],
)
def test_a_malformed_uri_is_refused(uri, message):
    with pytest.raises(ValueError, match=message):
        Asset(uri)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(FatalError, match="must not hold credentials") as caught:
        create_asset(host="http://someone:secret@localhost:5000")
    assert "secret" not in str(caught.value)
    # Airflow calls the scheme only after it has removed the password.
    with pytest.warns(UserWarning, match="should not contain a password"):
        assert Asset("movielens://someone:secret@localhost:5000/ratings").uri == "movielens://localhost:5000/ratings"


@pytest.mark.parametrize(
    ("parts", "uri"),
    [
        ({}, "movielens://localhost:5000/ratings"),
        ({"host": "127.0.0.1", "port": 8000, "resource": "movies"}, "movielens://127.0.0.1:8000/movies"),
        ({"host": "https://example.com/api/"}, "movielens://example.com/api/ratings"),
        ({"host": "::1"}, "movielens://[::1]:5000/ratings"),
    ],
)
def test_an_asset_is_created_from_the_fields_of_a_connection(parts, uri):
    assert create_asset(**parts).uri == uri


def test_an_asset_takes_the_arguments_of_airflows_asset():
    asset = create_asset(name="api_ratings", extra={"owner": "films"})
    assert (asset.name, asset.extra) == ("api_ratings", {"owner": "films"})


def test_airflow_finds_the_scheme():
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as ProvidersManager
    except ImportError:  # Airflow 3.1
        from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.asset_factories["movielens"](host="localhost").uri == "movielens://localhost:5000/ratings"
    assert manager.asset_to_openlineage_converters["movielens"] is convert_asset_to_openlineage


def test_openlineage_names_it_by_address_and_path():
    dataset = convert_asset_to_openlineage(create_asset(host="https://example.com/api"), None)
    assert (dataset.namespace, dataset.name) == ("movielens://example.com", "api/ratings")


@pytest.mark.parametrize("host", ["https://Example.com/api", "127.0.0.1", "::1"])
def test_operators_name_an_api_like_its_asset(host):
    dataset = convert_asset_to_openlineage(create_asset(host=host), None)
    assert table_of_api(build_base_url(host), RATINGS).identifier == (dataset.namespace, dataset.name)


def test_an_address_that_no_asset_accepts_fails_no_task():
    with pytest.raises(ValueError, match="is not of the form movielens://"):
        create_asset(host="http://localhost:5000/api//v1")
    dataset = table_of_api("http://localhost:5000/api//v1", RATINGS)
    assert dataset.identifier == ("movielens://localhost:5000", "api//v1/ratings")
