"""The environment of the stack's processes, built from nothing so that a user's own settings do not leak in."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from demo.credentials import API_USER
from demo.layout import Layout
from demo.ports import LOOPBACK

# What a program may need from its surroundings; notably neither AIRFLOW* nor PYTHON* nor anybody's credentials.
INHERITED = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def base_environment() -> dict[str, str]:
    """Return what every process gets."""
    environment = {name: os.environ[name] for name in (*INHERITED, *PROXIES) if name in os.environ}
    exceptions = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "", LOOPBACK, "localhost"]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(filter(None, exceptions))
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def api_environment(password: str) -> dict[str, str]:
    """Return the environment of movielens-api."""
    return base_environment() | {"API_USER": API_USER, "API_PASSWORD": password}


def airflow_environment(layout: Layout, api_port: int, api_password: str) -> dict[str, str]:
    """Return the environment of Airflow and of its tasks: what is not in its configuration file."""
    connection = {
        "conn_type": "movielens",
        "schema": "http",
        "host": LOOPBACK,
        "port": api_port,
        "login": API_USER,
        "password": api_password,
    }
    return base_environment() | {
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONN_MOVIELENS": json.dumps(connection),
        "MOVIELENS_SCHEMA": "http",
        "MOVIELENS_HOST": LOOPBACK,
        "MOVIELENS_PORT": str(api_port),
        "MOVIELENS_USER": API_USER,
        "MOVIELENS_PASSWORD": api_password,
        "MOVIELENS_DATA_DIR": str(layout.data),
        "MOVIELENS_POLL_INTERVAL": "5",
    }
