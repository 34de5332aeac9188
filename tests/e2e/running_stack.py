"""A running stack, and what tests do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.airflow_api import AirflowApi
from demo.configuration import API_USER, Credentials
from demo.layout import Layout
from demo.watch import Watch

ENDED = ("success", "failed")


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
