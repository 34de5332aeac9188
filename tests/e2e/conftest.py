"""A running `make up`, for tests that need a real Airflow."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from e2e.browser import TIMEOUT_MS, WIDE, Visit, chromium
from e2e.stack_processes import processes_of, user_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.airflow_api import AirflowApi
    from demo.configuration import Credentials
    from demo.layout import Layout
    from demo.watch import Watch

ENDED = ("success", "failed")
OWN_DAGS = Path(__file__).with_name("dags")
TIMEOUT_SECONDS = 3600
# Each poll takes CPU time of Airflow's API server.
POLL_SECONDS = 1


@dataclass(frozen=True)
class RunningStack:
    """A healthy movielens-api and Airflow, and the actions of tests on them."""

    layout: Layout
    credentials: Credentials
    watch: Watch
    airflow: AirflowApi
    api_address: str
    output: Path

    @property
    def api_login(self) -> tuple[str, str]:
        from demo.configuration import API_USER

        return API_USER, self.credentials.api_password

    @property
    def data(self) -> Path:
        """Return the folder that the Dags know as ``MOVIELENS_DATA_DIR``."""
        return self.layout.data

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true while the stack stays up; return its value."""
        return self.watch.until(what, condition)

    def wait_for_dags(self, dag_ids: Sequence[str]) -> None:
        def parsed() -> bool:
            errors = self.airflow.get("/importErrors")["import_errors"]
            assert not errors, errors
            return all(self.airflow.find(f"/dags/{dag_id}") for dag_id in dag_ids)

        self.until(f"the Dags {', '.join(dag_ids)}", parsed)

    def watch_assets_of(self, dag_id: str) -> None:
        """Unpause a Dag and have its file parsed again: only then does the triggerer watch the Dag's assets."""
        self.wait_for_dags([dag_id])
        self.airflow.set_paused(dag_id, paused=False)
        self.airflow.put(f"/parseDagFile/{self.airflow.get(f'/dags/{dag_id}')['file_token']}")

    def start(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Unpause a Dag once it is parsed, trigger a run, and return its id."""
        self.wait_for_dags([dag_id])
        self.airflow.set_paused(dag_id, paused=False)
        return self.airflow.trigger(dag_id, conf or {}, logical_date)

    def ended(self, dag_id: str, run_id: str) -> str:
        """Wait for the end of a run and return its state."""
        self.until(f"{dag_id} {run_id}", lambda: self.run_state(dag_id, run_id) in ENDED)
        return self.run_state(dag_id, run_id)

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Trigger a run, wait for its end, and return its id."""
        run_id = self.start(dag_id, conf)
        self.ended(dag_id, run_id)
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self.airflow.run(dag_id, run_id)["state"]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.airflow.tasks(dag_id, run_id)}

    def task_log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the log of the task's last try."""
        tries = {task["task_id"]: task["try_number"] for task in self.airflow.tasks(dag_id, run_id)}
        return self.airflow.task_log(dag_id, run_id, task_id, tries[task_id])

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        return self.airflow.xcom(dag_id, run_id, task_id)


# Not the whole session: a stack that waits takes a quarter of a core.
@pytest.fixture(scope="package")
def running_stack(tmp_path_factory):
    """Run `make up` with our Dags and those of the tests, which follow their schedules; end it by Ctrl-C."""
    from demo.airflow_api import AirflowApi
    from demo.configuration import Credentials
    from demo.layout import ROOT, Layout
    from demo.processes import Component, SessionRecord, stop
    from demo.watch import Interruption, Watch

    folder = tmp_path_factory.mktemp("stack")
    layout = Layout(folder / "local", folder / "dags")
    for source in (ROOT / "dags", OWN_DAGS):
        shutil.copytree(source, layout.dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(Path(__file__).with_name("up.py")), str(layout.local), str(layout.dags)]
    environment = user_environment(folder / "home") | {"PYTHONPATH": str(ROOT)}
    output = folder / "output"
    up = Component("make up", command, environment, ROOT, output, runs_once=True)
    try:
        watch = Watch(Interruption(), TIMEOUT_SECONDS, POLL_SECONDS)
        watch.components.append(up)
        watch.until("make up", lambda: "Ctrl-C stops everything" in output.read_text())
        api_address = re.search(r"^Ratings API (http://\S+)", output.read_text(), flags=re.MULTILINE)[1]
        address = re.search(r"^Airflow +(http://\S+)", output.read_text(), flags=re.MULTILINE)[1]
        credentials = Credentials.load(layout.local)
        airflow = AirflowApi(address, credentials.airflow_password)
        airflow.log_in()
        yield RunningStack(layout, credentials, watch, airflow, api_address, output)
        os.killpg(up.session, signal.SIGINT)  # as a terminal does: to the whole foreground group
        watch.until_ended(up)
        assert up.exit_code == 0
        assert processes_of(layout.local) == []
        assert list((folder / "home").iterdir()) == []
    finally:
        stop([up])
        SessionRecord(layout.local / "sessions", layout.airflow_home).end_leftovers()


@pytest.fixture(scope="module")
def admin_token(running_stack):
    """Log in to Airflow as the administrator."""
    login = {"username": "admin", "password": running_stack.credentials.airflow_password}
    with requests.Session() as session:
        session.trust_env = False
        response = session.post(f"{running_stack.airflow.address}/auth/token", json=login, timeout=60)
    return response.json()["access_token"]


@pytest.fixture(scope="module")
def browser():
    """Start a real browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def logged_in(browser, running_stack, admin_token):
    """Let a browser be logged in as the administrator. Its cache spares the tests to load Airflow's UI each time."""
    address = running_stack.airflow.address
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce", base_url=address)
    context.set_default_timeout(TIMEOUT_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.add_cookies([{"name": "_token", "value": admin_token, "url": address}])
    yield context
    context.close()


@pytest.fixture
def visit(logged_in):
    """Open a tab of the browser."""
    visit = Visit.of(logged_in)
    yield visit
    visit.page.close()
