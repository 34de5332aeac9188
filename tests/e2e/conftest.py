"""The stack of `make up`, for tests that need a real Airflow, and a way to look for what a stack left behind."""

from __future__ import annotations

import configparser
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from demo.airflow_api import AirflowApi
    from demo.stack import Stack

ENDED = ("success", "failed")
OWN_DAGS = Path(__file__).with_name("dags")
# A worker that is lost is to be found in a time that a test can wait.
SCHEDULER = {"task_instance_heartbeat_timeout": "20", "task_instance_heartbeat_timeout_detection_interval": "2"}


@dataclass(frozen=True)
class RunningStack:
    """movielens-api and Airflow, both healthy, and what tests do with them."""

    stack: Stack

    @property
    def airflow(self) -> AirflowApi:
        return self.stack.airflow

    @property
    def api_address(self) -> str:
        return self.stack.api_address

    @property
    def api_login(self) -> tuple[str, str]:
        from demo.credentials import API_USER

        return API_USER, self.stack.credentials.api_password

    @property
    def data(self) -> Path:
        """What the Dags know as MOVIELENS_DATA_DIR."""
        return self.stack.layout.data

    def run(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Unpause a Dag once it is parsed, trigger a run, wait for its end, and return its id."""
        self.stack.wait_for_dags([dag_id])
        self.airflow.set_paused(dag_id, paused=False)
        run_id = self.airflow.trigger(dag_id, conf or {}, logical_date)
        self.stack.watch.until(f"{dag_id} {run_id}", lambda: self.run_state(dag_id, run_id) in ENDED)
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self.airflow.run(dag_id, run_id)["state"]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.airflow.tasks(dag_id, run_id)}

    def task_log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The log of the task's last try."""
        tries = {task["task_id"]: task["try_number"] for task in self.airflow.tasks(dag_id, run_id)}
        return self.airflow.task_log(dag_id, run_id, task_id, tries[task_id])

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        return self.airflow.xcom(dag_id, run_id, task_id)


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory):
    """A stack of its own folder and ports, with the tests' own Dags beside ours; all follow their schedules."""
    from demo.commands import TIMEOUT_SECONDS
    from demo.credentials import Credentials
    from demo.interruption import Interruption
    from demo.layout import ROOT, Layout
    from demo.pipeline import DAGS
    from demo.stack import Stack
    from demo.watch import Watch

    layout = Layout(tmp_path_factory.mktemp("stack"), tmp_path_factory.mktemp("dags"))
    layout.create()
    for source in (ROOT / "dags", OWN_DAGS):
        shutil.copytree(source, layout.dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    watch = Watch(Interruption(), timeout=3 * TIMEOUT_SECONDS)
    with Stack(layout, Credentials.load(layout.local), watch) as stack:
        stack.start_api()
        stack.prepare_database()
        configure_scheduler(layout.airflow_home / "airflow.cfg")
        stack.start_airflow()
        stack.wait_for_api()
        stack.wait_for_airflow()
        stack.wait_for_dags(DAGS)
        yield RunningStack(stack)


def configure_scheduler(file: Path) -> None:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(file)
    configuration["scheduler"].update(SCHEDULER)
    with file.open("w") as out:
        configuration.write(out)


@pytest.fixture
def left_running():
    """Find the processes that a stack in a folder left behind: by what it noted, and by where they work."""

    def find(local: Path) -> list[str]:
        sessions = set((local / "sessions").read_text().split())
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                session = (process / "stat").read_text().rpartition(")")[2].split()[3]
                if session in sessions or (process / "cwd").readlink().is_relative_to(local):
                    found.append(f"{process.name}: {(process / 'cmdline').read_text()}")
            except OSError:
                continue  # it has just ended
        return found

    return find
