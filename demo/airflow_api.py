"""The few calls to Airflow's REST API that running and watching Dags takes."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import requests

from demo.credentials import AIRFLOW_USER
from demo.failure import RefusedError, UnansweredError

Json = dict[str, Any]
TIMEOUT_SECONDS = 30
# On SQLite, a call that meets a write of the scheduler may fail with an internal error.
ATTEMPTS = 5
PAUSE_SECONDS = 0.5


class AirflowApi:
    """A logged-in client.

    Args:
        address: Where the API server listens.
        password: The password of the administrator.
    """

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy must not stand between us and ourselves

    def health(self) -> Json | None:
        """Return what each component says of itself, None while the API server does not answer."""
        try:
            return self.get("/monitor/health")
        except UnansweredError:
            return None

    def log_in(self) -> None:
        """Get the token that all calls but `health` need."""
        login = {"username": AIRFLOW_USER, "password": self._password}
        token = self._request("POST", "/auth/token", json=login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: str | int) -> Json:
        """GET below `/api/v2`."""
        return self._request("GET", f"/api/v2{path}", params=params)

    def find(self, path: str) -> Json | None:
        """GET what may not exist."""
        try:
            return self.get(path)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Json) -> Json:
        """POST below `/api/v2`."""
        return self._request("POST", f"/api/v2{path}", json=body)

    def unfinished_backfills(self, dag_id: str) -> list[Json]:
        """Return the backfills of a Dag that have not completed."""
        backfills = self.get("/backfills", dag_id=dag_id, order_by="-id")["backfills"]
        return [backfill for backfill in backfills if backfill["completed_at"] is None]

    def cancel_backfill(self, backfill_id: int) -> None:
        """Cancel a backfill, unless it has just completed or gone."""
        try:
            self._request("PUT", f"/api/v2/backfills/{backfill_id}/cancel")
        except RefusedError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    def patch(self, path: str, body: Json) -> Json:
        """PATCH below `/api/v2`."""
        return self._request("PATCH", f"/api/v2{path}", json=body)

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a Dag; only a Dag that is not paused runs at all."""
        self.patch(f"/dags/{dag_id}", {"is_paused": paused})

    def trigger(self, dag_id: str, conf: Json, logical_date: str | None = None) -> str:
        """Start a run and return its id."""
        answer = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": logical_date, "conf": conf})
        return cast("str", answer["dag_run_id"])

    def runs(self, dag_id: str, **params: str | int) -> list[Json]:
        """Return the runs of a Dag, at most 100, by logical date."""
        answer = self.get(f"/dags/{dag_id}/dagRuns", limit=100, order_by="logical_date", **params)
        return cast("list[Json]", answer["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return one run."""
        return self.get(_run_path(dag_id, run_id))

    def tasks(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the task instances of a run."""
        return cast("list[Json]", self.get(f"{_run_path(dag_id, run_id)}/taskInstances")["task_instances"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task returned."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, stringify="false")["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> str:
        """Return the log of a task as text."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        return "\n".join(map(_log_line, self.get(path, full_content="true")["content"]))

    def _request(self, method: str, path: str, **arguments: Any) -> Json:
        for _ in range(ATTEMPTS):
            answer = self._send(method, path, **arguments)
            if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(PAUSE_SECONDS)
        if not answer.ok:
            message = f"Airflow answered {method} {path} with {answer.status_code}: {answer.text[:500]}"
            raise RefusedError(message, answer.status_code)
        return cast("Json", answer.json())

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(method, self.address + path, timeout=TIMEOUT_SECONDS, **arguments)
        except requests.RequestException as error:
            raise UnansweredError(f"Airflow does not answer {method} {path}: {error}") from error


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _log_line(entry: Json) -> str:
    """Write a structured log message as a line, with the exceptions that it carries below."""
    line = " ".join(str(entry[name]) for name in ("timestamp", "level", "event") if entry.get(name))
    errors = [f"  {error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return "\n".join([line, *errors])
