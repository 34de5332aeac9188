"""The stack: movielens-api, Airflow's processes and the services they need, from nothing to healthy and back."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from demo.airflow_api import AirflowApi
from demo.configuration import API_USER, airflow_environment, api_environment, write_configuration
from demo.errors import DagImportError
from demo.layout import only_stack_in
from demo.ports import LOOPBACK, choose_port
from demo.processes import Component, Guardian, SessionRecord, stop
from demo.services.selection import BUCKET, WORKERS, Services
from demo.services.service import start as start_service

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from demo.airflow_api import Json
    from demo.configuration import Credentials, Sections
    from demo.layout import Layout
    from demo.watch import Watch

API_PORT = 5000
AIRFLOW_PORT = 8080
# Runs a program of this virtual environment without its #! line, which cannot hold every path.
PYTHON = [sys.executable, "-P"]
AIRFLOW_COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}

WORKER_NAMES = [f"worker-{number}" for number in range(1, WORKERS + 1)]
SERVERS = ("movielens-api", "api-server")
RESTARTS = 5
HEARTBEATS = ("scheduler", "triggerer", "dag_processor")


class Stack(contextlib.AbstractContextManager["Stack"]):
    """All processes of one checkout, stopped when the context ends.

    Args:
        layout: The folders.
        credentials: The passwords and keys to use.
        watch: The watch over the processes.
        connection_password: The password for Airflow's calls to the API, if not the real one.
        follow_schedules: Whether Dags also run by their schedules.
        settings: Settings of Airflow that override the stack's.
        services: The services to start, by their names; see `demo.services.selection`.
    """

    def __init__(
        self,
        layout: Layout,
        credentials: Credentials,
        watch: Watch,
        connection_password: str | None = None,
        *,
        follow_schedules: bool = True,
        settings: Sections | None = None,
        services: Collection[str] = (),
    ) -> None:
        self.layout = layout
        self.credentials = credentials
        self.watch = watch
        self._connection_password = connection_password or credentials.api_password
        self._follow_schedules = follow_schedules
        self._settings = settings or {}
        self._names_of_services = services
        self._resources = contextlib.ExitStack()
        self._sessions = SessionRecord(layout.local / "sessions", layout.local)
        self._started = datetime.now(UTC)
        self.restarts: Counter[str] = Counter()

    def __enter__(self) -> Stack:
        """Lock the folder and reserve the ports."""
        with contextlib.ExitStack() as resources:
            resources.enter_context(only_stack_in(self.layout.local))
            self._sessions.end_leftovers()
            resources.enter_context(Guardian(self._sessions))
            self.api_port = choose_port(API_PORT, resources)
            self.airflow_port = choose_port(AIRFLOW_PORT, resources)
            self.services = Services.of(self._names_of_services, self.layout, self.credentials, resources)
            resources.callback(self.stop)
            self._resources = resources.pop_all()
        self.airflow = AirflowApi(f"http://{LOOPBACK}:{self.airflow_port}", self.credentials.airflow_password)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop every process, then release the folder."""
        self._resources.close()

    def stop(self) -> None:
        """Stop every process, each before those that it may still call."""
        services = [service.name for service in self.services.running]
        self.watch.stop(last=[SERVERS, services])
        for service in self.services.running:
            service.clean_up()

    @property
    def port_notes(self) -> list[str]:
        """A note for each port that was not free."""
        chosen = {API_PORT: self.api_port, AIRFLOW_PORT: self.airflow_port}
        return [f"Port {port} is busy, using {other}" for port, other in chosen.items() if port != other]

    @property
    def api_address(self) -> str:
        """The URL of movielens-api."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def page_address(self) -> str:
        """The URL of the MovieLens page in Airflow's UI."""
        return f"{self.airflow.address}/plugin/movielens"

    @property
    def data_root(self) -> str:
        """The folder or URL of the files that the Dags write."""
        return self.services.data_root(self.layout)

    def start_services(self) -> None:
        """Start the services that this stack is asked for, and wait until they work."""
        for service in self.services.running:
            service.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            service.prepare()
            self._watched(start_service(service, self.layout.logs / f"{service.name}.log"))
        for service in self.services.running:
            self.watch.until(service.name, service.is_ready)
        if self.services.s3 is not None:
            self.services.s3.create_bucket(BUCKET)

    def start_api(self) -> None:
        """Start movielens-api on the sample ratings; it loads them while Airflow prepares its database."""
        program = Path(sys.executable).with_name("movielens-api")
        options = ["--dataset", "sample", "--data-dir", str(self.layout.served)]
        options += ["--host", LOOPBACK, "--port", str(self.api_port), "--recommendations", str(self.layout.registry)]
        self._start("movielens-api", [str(program), "serve", *options], api_environment(self.credentials.api_password))

    def wait_for_api(self) -> None:
        """Wait until movielens-api serves."""
        self.watch.until("movielens-api", self._api_is_healthy)

    def movies(self) -> list[Json]:
        """Return all movies of movielens-api."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy for our own loopback calls
            session.auth = (API_USER, self.credentials.api_password)
            found: list[Json] = session.get(f"{self.api_address}/movies?limit=10000", timeout=60).json()["result"]
        return found

    def prepare_database(self) -> None:
        """Create or upgrade Airflow's database, unless this version of Airflow has already done so."""
        write_configuration(
            self.layout,
            self.credentials,
            self.airflow_port,
            [{"movielens": {"data_root": self.data_root}}, self.services.sections(), self._settings],
            follow_schedules=self._follow_schedules,
        )
        stamp = self.layout.airflow_home / f"migrated-{self.services.database}-{version('apache-airflow-core')}"
        if stamp.exists():
            return
        self.watch.until_ended(self._start_airflow("db-migrate", ["db", "migrate"], runs_once=True))
        stamp.touch()

    def start_airflow(self) -> None:
        """Start Airflow's processes, all at once: each waits for those that it needs."""
        for name, arguments in AIRFLOW_COMPONENTS.items():
            self._start_airflow(name, arguments)

    def wait_for_airflow(self) -> None:
        """Wait until each of Airflow's processes reports that it is healthy."""
        self.watch.until("Airflow's processes", self._airflow_is_healthy)
        self.airflow.log_in()

    def start_workers(self) -> None:
        """Start Celery's workers, if there is a broker: after the API server, without which their tasks would fail."""
        if self.services.valkey is None:
            return
        for name in WORKER_NAMES:
            self.start_worker(name)
        self.wait_for_workers()

    def wait_for_workers(self) -> None:
        """Wait until all workers accept tasks."""
        for name in WORKER_NAMES:
            self.watch.until(name, partial(self._accepts_tasks, name))

    def _accepts_tasks(self, name: str) -> bool:
        return f"celery@{name} ready" in self.log_of(name).read_text()

    def start_worker(self, name: str) -> Component:
        """Start a worker of Celery, with a folder of its own for temporary files."""
        folder = self.layout.local / name
        folder.mkdir(mode=0o700, exist_ok=True)
        arguments = ["celery", "worker", "--celery-hostname", f"celery@{name}", "--pid", str(folder / "pid")]
        return self._start_airflow(name, [*arguments, "--skip-serve-logs"], {"TMPDIR": str(folder)})

    def log_of(self, name: str) -> Path:
        """Return the file with the output of a component."""
        return self.layout.logs / f"{name}.log"

    def wait_for_dags(self, dag_ids: Sequence[str]) -> None:
        """Wait until the Dags have been parsed since the stack started."""
        self.watch.until(f"the Dags {', '.join(dag_ids)}", lambda: self._have_been_parsed(dag_ids))

    def restart(self, component: Component) -> None:
        """Restart a component of Airflow that has ended, a few times at most; its old log stays beside the new one.

        On SQLite, two writers at once can end the scheduler. After a restart, it resumes.
        """
        self.restarts[component.name] += 1
        is_known = component.name in (*AIRFLOW_COMPONENTS, *WORKER_NAMES)
        if not is_known or self.restarts[component.name] > RESTARTS:
            raise component.failure()
        stop([component])
        component.log.replace(component.log.with_suffix(f".{self.restarts[component.name]}.log"))
        if component.name in WORKER_NAMES:
            self.start_worker(component.name)
        else:
            self._start_airflow(component.name, AIRFLOW_COMPONENTS[component.name])

    def _start_airflow(
        self,
        name: str,
        arguments: Sequence[str],
        variables: Mapping[str, str] | None = None,
        *,
        runs_once: bool = False,
    ) -> Component:
        environment = airflow_environment(self.layout, self.api_port, self._connection_password, self.data_root)
        environment |= self.services.variables() | dict(variables or {})
        return self._start(name, ["-m", "airflow", *arguments], environment, runs_once=runs_once)

    def _start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], *, runs_once: bool = False
    ) -> Component:
        command = [*PYTHON, *arguments]
        log = self.log_of(name)
        return self._watched(Component(name, command, environment, self.layout.airflow_home, log, runs_once=runs_once))

    def _watched(self, component: Component) -> Component:
        self.watch.components.append(component)
        self._sessions.add(component.session)
        return component

    def _api_is_healthy(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"{self.api_address}/healthz", timeout=5).ok
            except requests.RequestException:
                return False

    def _airflow_is_healthy(self) -> bool:
        health = self.airflow.health()
        if health is None or health["metadatabase"]["status"] != "healthy":
            return False
        heartbeats = (health[name][f"latest_{name}_heartbeat"] for name in HEARTBEATS)
        # "healthy" alone may describe the processes of an earlier stack.
        return all(heartbeat and self._is_new(heartbeat) for heartbeat in heartbeats)

    def _have_been_parsed(self, dag_ids: Sequence[str]) -> bool:
        """Return whether all are parsed; raise at the first import error, but not for one of an earlier stack."""
        errors = [
            error for error in self.airflow.get("/importErrors")["import_errors"] if self._is_new(error["timestamp"])
        ]
        if errors:
            raise DagImportError(f"Airflow cannot read {errors[0]['filename']}:", errors[0]["stack_trace"])
        return all(self._has_been_parsed(self.airflow.find(f"/dags/{dag_id}")) for dag_id in dag_ids)

    def _has_been_parsed(self, dag: Json | None) -> bool:
        return dag is not None and self._is_new(dag["last_parsed_time"])

    def _is_new(self, moment: str) -> bool:
        return datetime.fromisoformat(moment) > self._started
