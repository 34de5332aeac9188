"""Airflow's configuration file: a small single-machine Airflow that listens on the loopback interface only."""

from __future__ import annotations

import configparser
import io
import json

from demo.credentials import AIRFLOW_USER, Credentials, write_private
from demo.layout import Layout
from demo.ports import LOOPBACK

Sections = dict[str, dict[str, str | int | float]]


def write_configuration(layout: Layout, credentials: Credentials, port: int, *, follow_schedules: bool) -> None:
    """Write `airflow.cfg` and the login, so that `AIRFLOW_HOME=… airflow …` works for a user, too."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(_sections(layout, credentials, port) | _scheduler(follow_schedules=follow_schedules))
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
            # After a write was refused because of another one, a pooled connection would go on refusing for ever.
            "sql_alchemy_pool_enabled": "False",
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
        # A worker notices the end of a task only when it looks again, and until then takes no other task.
        "workers": {"min_heartbeat_interval": 1},
        "api_auth": {"jwt_secret": credentials.jwt_secret},
        "dag_processor": {
            "dag_bundle_storage_path": str(home / "bundles"),
            "refresh_interval": 10,
        },
    }


def _scheduler(*, follow_schedules: bool) -> Sections:
    """Return the scheduler's section: a demo must not start a run for yesterday beside its backfill."""
    return {"scheduler": {"use_job_schedule": str(follow_schedules), "scheduler_idle_sleep_time": 0.2}}
