"""A client for the parts of Airflow's REST API that start and watch Dag runs."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import requests

from demo.configuration import AIRFLOW_USER
from demo.errors import NoResponseError, RefusedError

Json = dict[str, Any]
TIMEOUT_SECONDS = 60
# On SQLite, a call may fail with an internal error while the scheduler writes.
ATTEMPTS = 5
PAUSE_SECONDS = 0.5


class AirflowApi:
    """A logged-in client.

    Args:
        address: The URL of the API server.
        password: The password of the administrator.
    """

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy for our own loopback calls

    def health(self) -> Json | None:
        """Return each component's health, or None while the API server does not respond."""
        try:
            return self.get("/monitor/health")
        except NoResponseError:
            return None

    def log_in(self) -> str:
        """Get the token that every call except ``health`` needs, and return it."""
        login = {"username": AIRFLOW_USER, "password": self._password}
        token: str = self._request("POST", "/auth/token", json=login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        return token

    def get(self, path: str, **params: str | int | list[str]) -> Json:
        """Send a GET to a path below ``/api/v2``."""
        return self._request("GET", f"/api/v2{path}", params=params)

    def find(self, path: str) -> Json | None:
        """Return the resource, or None if it does not exist."""
        try:
            return self.get(path)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: Json) -> Json:
        """Send a POST to a path below ``/api/v2``."""
        return self._request("POST", f"/api/v2{path}", json=body)

    def put(self, path: str) -> Json:
        """Send a PUT to a path below ``/api/v2``."""
        return self._request("PUT", f"/api/v2{path}")

    def unfinished_backfills(self, dag_id: str) -> list[Json]:
        """Return the backfills of a Dag that have not completed."""
        backfills = self.get("/backfills", dag_id=dag_id, order_by="-id")["backfills"]
        return [backfill for backfill in backfills if backfill["completed_at"] is None]

    def cancel_backfill(self, backfill_id: int) -> None:
        """Cancel a backfill; ignore one that has just completed or been deleted."""
        try:
            self.put(f"/backfills/{backfill_id}/cancel")
        except RefusedError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    def patch(self, path: str, body: Json) -> Json:
        """Send a PATCH to a path below ``/api/v2``."""
        return self._request("PATCH", f"/api/v2{path}", json=body)

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a Dag; a paused Dag does not run."""
        self.patch(f"/dags/{dag_id}", {"is_paused": paused})

    def trigger(self, dag_id: str, conf: Json, logical_date: str | None = None) -> str:
        """Start a run and return its id."""
        run = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": logical_date, "conf": conf})
        return cast(str, run["dag_run_id"])

    def runs(self, dag_id: str, **params: str | int) -> list[Json]:
        """Return the runs of a Dag, at most 100, by logical date."""
        found = self.get(f"/dags/{dag_id}/dagRuns", limit=100, order_by="logical_date", **params)
        return cast(list[Json], found["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return one run."""
        return self.get(_run_path(dag_id, run_id))

    def tasks(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the task instances of a run."""
        return cast(list[Json], self.get(f"{_run_path(dag_id, run_id)}/taskInstances")["task_instances"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return an XCom of a task, by default its return value."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, stringify="false")["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> str:
        """Return the log of a task's try as text."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        return "\n".join(map(_log_line, self.get(path, full_content="true")["content"]))

    def _request(self, method: str, path: str, **arguments: Any) -> Json:
        for _ in range(ATTEMPTS):
            response = self._send(method, path, **arguments)
            if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(PAUSE_SECONDS)
        if not response.ok:
            message = f"Airflow responded to {method} {path} with {response.status_code}: {response.text[:500]}"
            raise RefusedError(message, response.status_code)
        return cast(Json, response.json())

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(method, self.address + path, timeout=TIMEOUT_SECONDS, **arguments)
        except requests.RequestException as error:
            raise NoResponseError(f"Airflow does not respond to {method} {path}: {error}") from error


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _log_line(entry: Json) -> str:
    """Return a structured log message as a line, followed by its exceptions."""
    line = " ".join(str(entry[name]) for name in ("timestamp", "level", "event") if entry.get(name))
    errors = [f"  {error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return "\n".join([line, *errors])
