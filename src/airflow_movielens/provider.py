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
        "config": {"movielens": _options()},
    }


def _options() -> dict[str, Any]:
    """Return the section of Airflow's configuration."""
    data_root = {
        "description": (
            "The folder that the operators' output files lie in: a local path that all workers and the API server "
            "see, or a URL that ObjectStoragePath accepts. The operators keep a catalogue of these files in it, which "
            "the MovieLens page shows. Empty: there is no catalogue."
        ),
        "type": "string",
        "example": "s3://aws_default@bucket/movielens",
        "default": "",
        "version_added": "0.2.0",
    }
    page = {
        "description": "Whether Airflow's UI has the MovieLens page.",
        "type": "boolean",
        "example": None,
        "default": "True",
        "version_added": "0.2.0",
    }
    return {"description": "The provider airflow-movielens.", "options": {"data_root": data_root, "page": page}}


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
