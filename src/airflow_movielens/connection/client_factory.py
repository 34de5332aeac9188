"""An Airflow connection of type ``movielens`` as a client, and the check of the *Test* button."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import DataError, FatalError, MovielensError, RetryableError
from airflow_movielens.client.secret import Secret
from airflow_movielens.connection.coerce import connection_id, number, secret, text, truth, whole_number
from airflow_movielens.ratings.json_values import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

    from airflow_movielens.client import MovielensClient
    from airflow_movielens.client.http.transport import CustomTransport


log = logging.getLogger(__name__)

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
    "api_token": secret,
    "time_zone": text,
    "max_rows": whole_number,
    "max_seconds": number,
}
"""The fields of a connection's extra, and how each is read; see `ClientSettings` for their meaning."""

_SETTINGS = {"api_token": "token"}
"""Settings whose name differs from their field."""

_SCHEMES = {"http", "https"}
_CONNECTION_TYPES = {"movielens", "generic", ""} | _SCHEMES


def client_from_connection(
    connection: Connection,
    retries: int = 3,
    concurrency: int | None = None,
    transport: CustomTransport | None = None,
) -> MovielensClient:
    """Return the client of an Airflow connection.

    Args:
        connection: Its host may be a bare host (default ``localhost``) or a full URL; its extra may hold
            `EXTRA_FIELDS`, where null or an empty text means the default.
        retries: How often a failed request is retried.
        concurrency: How many requests may be in flight at once; None for the connection's setting.
        transport: Function that responds to requests instead of the API, for tests; see `MovielensClient`.

    Raises:
        FatalError: The connection is unusable; the message names it and the field.
    """
    from airflow_movielens.client import MovielensClient

    try:
        settings = _settings_in_extra(connection)
        if concurrency is not None:
            settings["concurrency"] = whole_number("concurrency", concurrency)
        return MovielensClient(
            base_url=_base_url(connection),
            user=_part(connection, "login"),
            password=_secret_part(connection, "password"),
            retries=retries,
            transport=transport,
            **settings,
        )
    except FatalError as error:
        raise FatalError(f"connection {connection.conn_id!r}: {error}") from error


async def aclient_from_connection(conn_id: str) -> MovielensClient:
    """Return the client of an Airflow connection without blocking the event loop; its requests are not retried.

    Raises:
        FatalError: ``conn_id`` is not text, the connection is unusable, or the environment holds a connection that
            Airflow cannot read.
        AirflowNotFoundException: The connection does not exist.
    """
    from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined] # 3.1 has it nowhere else
    from airflow.sdk import BaseHook, Connection
    from asgiref.sync import sync_to_async

    connection_id(conn_id)
    # Before 3.3.2 the asynchronous form hides the password from logs by a call that may deadlock the triggerer.
    is_safe = hasattr(Connection, "aextra_dejson")
    get_connection = BaseHook.aget_connection if is_safe else sync_to_async(BaseHook.get_connection)
    try:
        connection = await get_connection(conn_id)
    except AirflowNotFoundException as error:
        refuse_unreadable(conn_id, error)
        raise
    # Reading the extra asks Airflow to hide it; the client loads requests and certificates.
    return await sync_to_async(client_from_connection)(connection, retries=0)


def refuse_unreadable(conn_id: str, not_found: Exception) -> None:
    """Report that the environment holds a connection that Airflow cannot read.

    Args:
        conn_id: The connection that was not found.
        not_found: Airflow's error.

    Raises:
        FatalError: The environment holds the connection. Airflow itself does not report that it cannot read it.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if variable in os.environ:
        raise FatalError(
            f"connection {conn_id!r}: {variable} is set, but Airflow cannot read it. As JSON, it must be an object of "
            "conn_type, host, port (a number), schema, login, password (text) and extra (an object) only; as a URI, "
            "signs such as / @ : % in login, password and host must be percent-encoded"
        ) from not_found


def _base_url(connection: Connection) -> str:
    from airflow_movielens.client import build_base_url

    kind = (connection.conn_type or "").strip().lower()
    host, schema = _part(connection, "host"), _part(connection, "schema")
    # Airflow's UI sends 0 where no port is given.
    port = connection.port or None
    if kind not in _CONNECTION_TYPES:
        raise FatalError(f"its type is {kind!r}: give movielens, http or https")
    if kind not in _SCHEMES:
        return build_base_url(host, schema, port)
    if (schema or kind).strip().lower() in _SCHEMES:
        # Airflow's own way to say https is http://host/https.
        scheme, prefix = (kind if kind == "https" else schema or kind), ""
    else:
        # Airflow stores the path of a URI as the schema.
        scheme, prefix = kind, f"/{(schema or '').strip('/')}"
    return build_base_url(host, scheme, port) + prefix


def _part(connection: Connection, name: str) -> str | None:
    value = getattr(connection, name)
    return text(name, value) if value not in (None, "") else None


def _secret_part(connection: Connection, name: str) -> Secret | None:
    return Secret.of(_part(connection, name))


def _settings_in_extra(connection: Connection) -> dict[str, Any]:
    given = _extra_of(connection)
    return {_SETTINGS.get(name, name): EXTRA_FIELDS[name](name, value) for name, value in given.items()}


def _extra_of(connection: Connection) -> dict[str, Any]:
    """Return the given fields of the extra, with the token as a secret, which tracebacks do not show."""
    # Airflow treats an unreadable extra as empty: then a token or a CA file would be ignored silently.
    try:
        extra = parse_json((connection.extra or "").strip() or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise FatalError('extra is not a JSON object such as {"page_size": 500}')
    if unknown := sorted(extra.keys() - EXTRA_FIELDS):
        log.warning("Connection %r: its extra has %s, which this provider ignores", connection.conn_id, unknown)
    extra = connection.extra_dejson  # this also makes Airflow mask its secrets in logs
    given = {name: extra[name] for name in EXTRA_FIELDS if extra.get(name) not in (None, "")}
    if "api_token" in given:
        given["api_token"] = secret("api_token", given["api_token"])
    return given


def check(connect: Callable[[], MovielensClient]) -> tuple[bool, str]:
    """Return whether an API responds and accepts the credentials, with a sentence about it.

    Args:
        connect: Creates the client, which should not retry: a user waits for the result.
    """
    try:
        with connect() as client:
            return True, f"Connected to {client.settings.base_url}: {_what_it_holds(client)}."
    except MovielensError as error:
        return False, _sentence(error)


def _what_it_holds(client: MovielensClient) -> str:
    # An API may count ratings but send something else: the first page shows it.
    some = next(client.get_rating_frames(), None)
    try:
        return f"it holds {client.count_ratings():,} ratings"
    except DataError:
        return "it does not say how many ratings it holds" if some is not None else "it holds no ratings"


def _sentence(error: MovielensError) -> str:
    # Not the error that names the connection: Airflow tests it under a generated name.
    cause = error.__cause__ if isinstance(error.__cause__, FatalError) else error
    # The server's words may have several lines.
    words = " ".join(str(cause).split())
    if isinstance(error, DataError):
        return f"Something responds at this host and port, but not like a ratings API: {words}"
    if isinstance(error, RetryableError) and error.exchange and error.exchange.status is None:
        return f"Cannot reach a ratings API with this host, port and schema (http or https): {words}"
    return words
