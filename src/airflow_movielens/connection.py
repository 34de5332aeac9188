"""An Airflow connection of type ``movielens`` as a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.arguments import number, text, truth, whole_number
from airflow_movielens.client import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

    from airflow_movielens.client import MovielensClient

EXTRA_FIELDS: Mapping[str, Callable[[str, Any], Any]] = {
    "page_size": whole_number,
    "concurrency": whole_number,
    "requests_per_second": number,
    "connect_timeout": number,
    "read_timeout": number,
    "total_timeout": number,
    "data_format": text,
    "verify_tls": truth,
    "ca_file": text,
    "client_certificate": text,
    "client_key": text,
    "api_token": text,
}
"""The fields of a connection's extra, and how each is read; `ClientSettings` says what they mean."""

_SETTINGS = {"api_token": "token"}
"""Settings that are called otherwise than their field."""


def client_from_connection(connection: Connection, retries: int = 3, concurrency: int | None = None) -> MovielensClient:
    """Make the client of an Airflow connection.

    Args:
        connection: Its host may be a bare host (default ``localhost``, port 5000) or a full URL; its extra may hold
            `EXTRA_FIELDS`, where null or an empty text means the default.
        retries: How often a failed request is tried again.
        concurrency: How many requests may be under way at once; None for what the connection says.

    Raises:
        FatalError: The connection is unusable; the message names it and the field.
    """
    from airflow_movielens.client import MovielensClient, build_base_url

    try:
        settings = _from_extra(connection.extra_dejson)
        if concurrency is not None:
            settings["concurrency"] = whole_number("concurrency", concurrency)
        return MovielensClient(
            base_url=build_base_url(connection.host, connection.schema, connection.port),
            user=connection.login or None,
            password=connection.password,
            retries=retries,
            **settings,
        )
    except FatalError as error:
        raise FatalError(f"connection {connection.conn_id!r}: {error}") from error


def _from_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: extra[name] for name in EXTRA_FIELDS if extra.get(name) not in (None, "")}
    return {_SETTINGS.get(name, name): EXTRA_FIELDS[name](name, value) for name, value in given.items()}
