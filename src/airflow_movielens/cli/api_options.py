"""Client settings from options and the environment: the API's address, credentials and limits."""

from __future__ import annotations

import argparse
import os
import sys
from getpass import getpass
from typing import get_args
from urllib.parse import urlsplit

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.secret import Secret
from airflow_movielens.client.settings import (
    DEFAULT_CONCURRENCY,
    ClientSettings,
    DataFormat,
    build_base_url,
)
from airflow_movielens.ratings.messages import shown

_DIGITS_OF_PORT = 5


def add_api_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `api_settings` reads."""
    where = parser.add_argument_group("the API", "Passwords and tokens are read from the environment or a prompt only.")
    where.add_argument("--host", help="bare host or full URL (default: MOVIELENS_HOST, otherwise localhost)")
    where.add_argument("--schema", choices=["http", "https"], help="default: MOVIELENS_SCHEMA, otherwise http")
    where.add_argument("--port", type=int, help="default: MOVIELENS_PORT, otherwise 5000, or 443 for https")
    where.add_argument(
        "--user",
        help="default: MOVIELENS_USER, with the password MOVIELENS_PASSWORD; or set MOVIELENS_TOKEN, a bearer token",
    )
    how = parser.add_argument_group("requests")
    how.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="ratings per request (default: adapted to the API, from 1,000 up to 10,000)",
    )
    how.add_argument(
        "--concurrency",
        type=int,
        default=DEFAULT_CONCURRENCY,
        metavar="N",
        help="maximum number of requests in flight (default: %(default)s)",
    )
    how.add_argument(
        "--requests-per-second",
        type=float,
        metavar="X",
        help="maximum number of requests per second (default: no limit)",
    )
    how.add_argument(
        "--retries",
        type=int,
        default=3,
        metavar="N",
        help="how often a failed request is retried (default: %(default)s)",
    )
    how.add_argument(
        "--format",
        choices=get_args(DataFormat),
        default="auto",
        help="format to request (default: auto, the best that the API supports)",
    )
    how.add_argument(
        "--time-zone", metavar="NAME", help="time zone of the API's days, such as Asia/Seoul (default: UTC)"
    )
    how.add_argument(
        "--max-rows", type=int, metavar="N", help="end with an error if there are more ratings (default: no limit)"
    )
    how.add_argument(
        "--max-seconds", type=float, metavar="N", help="end with an error if the fetch takes longer (default: no limit)"
    )
    tls = parser.add_argument_group("TLS")
    tls.add_argument(
        "--ca-file", metavar="FILE", help="PEM file with the authorities to trust instead of the default ones"
    )
    tls.add_argument("--client-certificate", metavar="FILE", help="PEM file with a client certificate")
    tls.add_argument(
        "--client-key",
        metavar="FILE",
        help="PEM file with the key of the client certificate, unless the same file holds it",
    )
    tls.add_argument(
        "--no-verify-tls", action="store_true", help="do not verify the server's certificate; only for experiments"
    )


def api_settings(options: argparse.Namespace) -> ClientSettings:
    """Read the client's settings from options, then from the environment.

    Raises:
        FatalError: A setting is unusable; the message says which, and how to fix it.
    """
    user, password, token = _credentials(options.user)
    return ClientSettings(
        base_url=_base_url(options),
        user=user,
        password=password,
        token=token,
        page_size=options.batch_size,
        concurrency=options.concurrency,
        requests_per_second=options.requests_per_second,
        retries=options.retries,
        data_format=options.format,
        verify_tls=not options.no_verify_tls,
        ca_file=options.ca_file,
        client_certificate=options.client_certificate,
        client_key=options.client_key,
        time_zone=options.time_zone,
        max_rows=options.max_rows,
        max_seconds=options.max_seconds,
    )


def settings_of_environment(host: str | None) -> ClientSettings:
    """Read the client's settings from the environment, for commands without these options.

    Args:
        host: The host, which takes precedence over MOVIELENS_HOST.

    Raises:
        FatalError: A setting is unusable; the message says which, and how to fix it.
    """
    parser = argparse.ArgumentParser()
    add_api_options(parser)
    return api_settings(parser.parse_args([] if host is None else [f"--host={host}"]))


def _base_url(options: argparse.Namespace) -> str:
    url = _url_of_parts(options)
    parts = urlsplit(url)
    if options.port is not None and options.port != parts.port:
        raise FatalError(f"--port is {shown(options.port)}, but the host says {url}: make both the same")
    if options.schema and options.schema != parts.scheme:
        raise FatalError(f"--schema is {options.schema}, but the host says {url}: make both the same")
    return url


def _url_of_parts(options: argparse.Namespace) -> str:
    if options.host:
        # Schema and port of the environment belong to its own host.
        return build_base_url(options.host, options.schema, options.port)
    schema = options.schema or os.environ.get("MOVIELENS_SCHEMA")
    host = os.environ.get("MOVIELENS_HOST")
    port = options.port
    if port is None:
        port = _port_of_environment(is_needed="://" not in (host or ""))
    return build_base_url(host, schema, port)


def _port_of_environment(*, is_needed: bool) -> int | None:
    port = os.environ.get("MOVIELENS_PORT")
    if port and "://" in port and not is_needed:
        return None
    if port and not (port.isascii() and port.isdecimal() and len(port) <= _DIGITS_OF_PORT):
        why = (
            ". Kubernetes sets it for a service called movielens: give --port, or a full URL as --host"
            if "://" in port
            else ": give a port number"
        )
        raise FatalError(f"MOVIELENS_PORT is {shown(port)}{why}")
    return int(port) if port else None


def _credentials(user: str | None) -> tuple[str | None, Secret | None, Secret | None]:
    token = Secret.of(os.environ.get("MOVIELENS_TOKEN") or None)
    if token and not user:
        return None, None, token
    user = user or os.environ.get("MOVIELENS_USER")
    return (user, _password(user), None) if user else (None, None, None)


def _password(user: str) -> Secret:
    password = os.environ.get("MOVIELENS_PASSWORD")
    if password is not None:
        return Secret(password)
    if not sys.stdin.isatty():
        raise FatalError(
            f"no password for the user {user!r}: set MOVIELENS_PASSWORD, or run in a terminal to be prompted"
        )
    return Secret(getpass(f"Password of {user}: "))
