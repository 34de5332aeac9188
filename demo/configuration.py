"""The configuration of the stack's processes: secrets, `airflow.cfg`, environment variables."""

from __future__ import annotations

import base64
import configparser
import io
import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demo.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.layout import Layout

Sections = dict[str, dict[str, str | int | float]]

AIRFLOW_USER = "admin"
API_USER = "airflow"
# What a process may inherit: no AIRFLOW*, no PYTHON*, no credentials of the user.
INHERITED = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _password() -> str:
    return secrets.token_urlsafe(12)


def _key() -> str:
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """All secrets of a stack, generated once per folder: a login stays valid from one `make up` to the next."""

    api_password: str = field(default_factory=_password, repr=False)
    airflow_password: str = field(default_factory=_password, repr=False)
    jwt_secret: str = field(default_factory=_key, repr=False)
    session_secret: str = field(default_factory=_key, repr=False)
    fernet_key: str = field(default_factory=_fernet_key, repr=False)
    database_password: str = field(default_factory=_password, repr=False)
    broker_password: str = field(default_factory=_password, repr=False)
    s3_secret: str = field(default_factory=_key, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """Read the folder's secrets, or generate them the first time."""
        path = folder / "credentials.json"
        credentials = cls(**json.loads(path.read_text())) if path.exists() else cls()
        write_private(path, json.dumps(asdict(credentials)))
        return credentials


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)


def write_configuration(
    layout: Layout, credentials: Credentials, port: int, settings: Iterable[Sections], *, follow_schedules: bool
) -> None:
    """Write `airflow.cfg` and the login, so that `AIRFLOW_HOME=… airflow …` works for a user too.

    Args:
        layout: The folders.
        credentials: The passwords and keys.
        port: The port of the API server.
        settings: Settings that override the stack's, the last ones most.
        follow_schedules: Whether Dags also run by their schedules.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(_sections(layout, credentials, port) | _scheduler(follow_schedules=follow_schedules))
    for sections in settings:
        parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    # Airflow interpolates what it reads: a per cent sign in a path must stay one.
    write_private(layout.airflow_home / "airflow.cfg", text.getvalue().replace("%", "%%"))
    passwords = {AIRFLOW_USER: credentials.airflow_password}
    write_private(layout.airflow_home / "passwords.json", json.dumps(passwords))


def _sections(layout: Layout, credentials: Credentials, port: int) -> Sections:
    home = layout.airflow_home
    address = f"http://{LOOPBACK}:{port}"
    return {
        "core": {
            "dags_folder": str(layout.dags),
            "plugins_folder": str(home / "plugins"),
            "load_examples": "False",
            "executor": "LocalExecutor",
            "parallelism": 2,
            "fernet_key": credentials.fernet_key,
            "test_connection": "Enabled",
            "hostname_callable": "socket.gethostname",
            "execution_api_server_url": f"{address}/execution/",
            "simple_auth_manager_users": f"{AIRFLOW_USER}:admin",
            "simple_auth_manager_passwords_file": str(home / "passwords.json"),
        },
        "database": {
            "sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}?timeout=30",
            # After one write has failed because of another, a pooled connection would fail for ever.
            "sql_alchemy_pool_enabled": "False",
            # The stack has migrated the database by then; each process would take a second to check.
            "check_migrations": "False",
        },
        "logging": {
            "base_log_folder": str(home / "logs"),
            "dag_processor_child_process_log_directory": str(home / "logs" / "dag_processor"),
            "colored_console_log": "False",
        },
        "api": {
            "host": LOOPBACK,
            "port": port,
            "base_url": address,
            "workers": 1,
            "secret_key": credentials.session_secret,
        },
        # A worker notices the end of its task, and takes the next one, at its next heartbeat.
        "workers": {"min_heartbeat_interval": 1},
        "api_auth": {"jwt_secret": credentials.jwt_secret},
        "dag_processor": {
            "dag_bundle_storage_path": str(home / "bundles"),
            "refresh_interval": 10,
        },
    }


def _scheduler(*, follow_schedules: bool) -> Sections:
    """Return the scheduler's section; a demo must not start yesterday's run during its backfill."""
    return {"scheduler": {"use_job_schedule": str(follow_schedules), "scheduler_idle_sleep_time": 0.2}}


def base_environment() -> dict[str, str]:
    """Return the environment of every process, built from nothing so that the user's settings do not leak in."""
    environment = {name: os.environ[name] for name in (*INHERITED, *PROXIES) if name in os.environ}
    exceptions = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "", LOOPBACK, "localhost"]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(filter(None, exceptions))
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def api_environment(password: str) -> dict[str, str]:
    """Return the environment of movielens-api."""
    return base_environment() | {"API_USER": API_USER, "API_PASSWORD": password}


def airflow_environment(
    layout: Layout, api_port: int, api_password: str, data_root: str | None = None
) -> dict[str, str]:
    """Return the environment of Airflow and its tasks: the settings that `airflow.cfg` does not hold.

    Args:
        layout: The folders.
        api_port: The port of movielens-api.
        api_password: The password of its user.
        data_root: The folder or URL of the files that the Dags write; None for a folder of the stack.
    """
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
        "MOVIELENS_DATA_DIR": data_root or str(layout.data),
        "MOVIELENS_MODELS_DIR": str(layout.models),
        "MOVIELENS_POLL_INTERVAL": "5",
    }
