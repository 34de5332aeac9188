"""The form of a connection of type ``movielens``: labels, descriptions and defaults of its fields."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _field(label: str, description: str, kind: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _seconds(label: str, description: str, default: float) -> dict[str, Any]:
    return _field(label, description, "number", default=default, exclusiveMinimum=0)


_FIELDS = {
    "page_size": _field(
        "Page size",
        "Ratings per request; empty to adapt it to the API, from 1,000 up to 10,000.",
        "integer",
        minimum=1,
    ),
    "concurrency": _field(
        "Concurrency",
        "Requests in flight at once; fewer while the API is overloaded.",
        "integer",
        default=16,
        minimum=1,
    ),
    "requests_per_second": _field(
        "Requests per second",
        "Maximum number of requests per second; empty for no limit.",
        "number",
        exclusiveMinimum=0,
    ),
    "connect_timeout": _seconds("Connect timeout", "Seconds to wait for a connection.", 10),
    "read_timeout": _seconds("Read timeout", "Seconds to wait for each piece of a response.", 60),
    "total_timeout": _seconds("Total timeout", "Seconds that one request may take in all.", 300),
    "data_format": _field(
        "Data format",
        "Format to request from the API; auto selects the best that it offers.",
        "string",
        default="auto",
        enum=["auto", "arrow", "ndjson", "json"],
    ),
    "verify_tls": _field("Verify TLS", "Whether to verify the API's certificate.", "boolean", default=True),
    "ca_file": _field(
        "CA file",
        "PEM file on the worker with the certificate authorities to trust instead of the default ones.",
        "string",
    ),
    "client_certificate": _field(
        "Client certificate", "PEM file on the worker with the certificate to present to the API.", "string"
    ),
    "client_key": _field(
        "Client key", "PEM file on the worker with the certificate's key, unless the same file holds it.", "string"
    ),
    "api_token": _field("Bearer token", "Sent instead of user and password.", "string", format="password"),
    "time_zone": _field(
        "Time zone",
        "Time zone of the API's days, such as Asia/Seoul; empty for UTC. Windows remain UTC days.",
        "string",
    ),
    "max_rows": _field("Maximum rows", "Ratings that one fetch may read; empty for no limit.", "integer", minimum=1),
    "max_seconds": _field(
        "Maximum seconds", "Seconds that one fetch may take; empty for no limit.", "number", exclusiveMinimum=0
    ),
}
"""The fields beyond Airflow's own, in the order of the form; they are stored in the connection's extra."""

_HIDDEN = ["extra"]
_LABELS = {"schema": "Schema (http or https)", "login": "API user", "password": "API password"}
_PLACEHOLDERS = {"schema": "http", "host": "localhost", "port": "5000", "login": "movielens"}


def declared() -> dict[str, Any]:
    """Return the form as Airflow 3.2 and later read it from the provider info."""
    return {
        "ui-field-behaviour": {"hidden-fields": _HIDDEN, "relabeling": _LABELS, "placeholders": _PLACEHOLDERS},
        "conn-fields": _FIELDS,
    }


def widgets() -> dict[str, Any]:
    """Return the fields as Airflow 3.1 requests them from the hook.

    Raises:
        ImportError: WTForms is not installed. The API server of Airflow 3.1 provides a substitute; nothing else needs a
            form.
    """
    return {name: _widget(field, import_module("wtforms")) for name, field in _FIELDS.items()}


def _widget(field: dict[str, Any], wtforms: Any) -> Any:
    schema = field["schema"]
    kind, default = schema["type"][0], schema.get("default")
    if kind == "number":
        # There are no fields for fractions: they are entered as text.
        default = default and str(default)
    classes = {"integer": wtforms.IntegerField, "boolean": wtforms.BooleanField, "password": wtforms.PasswordField}
    allowed = [import_module("wtforms.validators").any_of(schema["enum"])] if "enum" in schema else []
    build = classes.get(schema.get("format", kind), wtforms.StringField)
    return build(field["label"], allowed, description=field["description"], default=default)


def behaviour() -> dict[str, Any]:
    """Return the behaviour of Airflow's own fields as Airflow 3.1 requests it from the hook."""
    return {"hidden_fields": _HIDDEN, "relabeling": _LABELS, "placeholders": _PLACEHOLDERS}
