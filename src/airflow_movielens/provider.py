"""The provider info: everything that Airflow learns about this package."""

from __future__ import annotations

from typing import Any

from airflow_movielens import __version__
from airflow_movielens.connection import form

_INTEGRATION = "MovieLens"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow (entry point group ``apache_airflow_provider``)."""
    return {
        "package-name": "airflow-movielens",
        "name": _INTEGRATION,
        "description": "Pull ratings from a MovieLens-style REST API exactly, and rank movies.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://grouplens.org/datasets/movielens/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_movielens.hooks"]}],
        "operators": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_movielens.operators"]}],
        "sensors": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_movielens.sensors"]}],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_movielens.triggers"]}],
        "connection-types": [_connection_type()],
        "asset-uris": [_asset_scheme()],
        "extra-links": ["airflow_movielens.links.MovielensOutputLink"],
    }


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "movielens",
        "hook-class-name": "airflow_movielens.hooks.MovielensHook",
        "hook-name": "MovieLens ratings API",
        **form.declared(),
    }


def _asset_scheme() -> dict[str, Any]:
    return {
        "schemes": ["movielens"],
        "handler": "airflow_movielens.assets.sanitize_uri",
        "factory": "airflow_movielens.assets.create_asset",
        "to_openlineage_converter": "airflow_movielens.assets.convert_asset_to_openlineage",
    }
