"""Everything Airflow learns about this package, in one place."""

from __future__ import annotations

from typing import Any

from airflow_movielens import __version__

_INTEGRATION = "MovieLens"


def _field(label: str, description: str, kind: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _seconds(label: str, description: str, default: float) -> dict[str, Any]:
    return _field(label, description, "number", default=default, exclusiveMinimum=0)


_FIELDS = {
    "page_size": _field("Page size", "Ratings asked for in one request.", "integer", default=1000, minimum=1),
    "concurrency": _field(
        "Concurrency",
        "Requests under way at once; fewer while the API is in trouble.",
        "integer",
        default=16,
        minimum=1,
    ),
    "requests_per_second": _field(
        "Requests per second", "Most requests begun in a second; empty for any number.", "number", exclusiveMinimum=0
    ),
    "connect_timeout": _seconds("Connect timeout", "Seconds to wait for a connection.", 10),
    "read_timeout": _seconds("Read timeout", "Seconds to wait for each piece of an answer.", 60),
    "total_timeout": _seconds("Total timeout", "Seconds that one request may take in all.", 300),
    "data_format": _field(
        "Data format",
        "What to ask the API for; auto is the best that it speaks.",
        "string",
        default="auto",
        enum=["auto", "arrow", "ndjson", "json"],
    ),
    "verify_tls": _field(
        "Verify TLS", "Whether the API must prove who it is by a certificate.", "boolean", default=True
    ),
    "ca_file": _field(
        "CA file", "PEM file, on the worker, with the authorities to trust instead of the usual ones.", "string"
    ),
    "client_certificate": _field(
        "Client certificate", "PEM file, on the worker, with a certificate to show to the API.", "string"
    ),
    "client_key": _field(
        "Client key", "PEM file, on the worker, with its key, unless the same file holds it.", "string"
    ),
    "api_token": _field("Bearer token", "Sent instead of user and password.", "string", format="password"),
}


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
        "ui-field-behaviour": {
            "hidden-fields": ["extra"],
            "relabeling": {"schema": "Schema (http or https)", "login": "API user", "password": "API password"},
            "placeholders": {"schema": "http", "host": "localhost", "port": "5000", "login": "movielens"},
        },
        "conn-fields": _FIELDS,
    }


def _asset_scheme() -> dict[str, Any]:
    return {
        "schemes": ["movielens"],
        "handler": "airflow_movielens.assets.sanitize_uri",
        "factory": "airflow_movielens.assets.create_asset",
        "to_openlineage_converter": "airflow_movielens.assets.convert_asset_to_openlineage",
    }
