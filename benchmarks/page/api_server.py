"""A real API server of Airflow, configured as `make up` configures it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.failure import BenchmarkError
from benchmarks.page import bare_page
from benchmarks.servers import Server, free_port
from demo.configuration import AIRFLOW_USER, Credentials, airflow_environment, write_configuration
from demo.layout import Layout
from demo.ports import LOOPBACK

TOKEN_COOKIE = "_token"  # noqa: S105 - its name


@dataclass(frozen=True)
class Storage:
    """Where the data root lies.

    Attributes:
        name: Its name in the report.
        data_root: The path or URL.
        python: The interpreter that can reach it.
        seconds: Within how many seconds the first paint of each view is expected.
        environ: Variables that Airflow needs for it.
    """

    name: str
    data_root: str
    python: Path
    seconds: float
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RunningServer:
    """An API server.

    Attributes:
        address: Its URL.
        process: The id of its process.
        token: What logs the administrator in.
    """

    address: str
    process: int
    token: str


class AirflowHome:
    """The home of an Airflow without a scheduler.

    Args:
        folder: The folder for it.
    """

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(folder)
        self._layout.create()
        self._credentials = Credentials.load(folder)
        plugins = self._layout.airflow_home / "plugins"
        plugins.mkdir(exist_ok=True)
        shutil.copy(bare_page.__file__, plugins)

    def prepare(self, python: Path) -> None:
        """Create the database, and read the Dags into it."""
        self._configure(free_port(), {})
        for command in (["db", "migrate"], ["dags", "reserialize"]):
            done = subprocess.run(
                [str(python), "-m", "airflow", *command],
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise BenchmarkError(f"airflow {' '.join(command)} failed: {done.stderr[-2000:]}")

    @contextmanager
    def serve(self, storage: Storage, *, page: bool) -> Iterator[RunningServer]:
        """Start an API server, and stop it.

        Args:
            storage: Where the data root lies.
            page: Whether it has the page.
        """
        port = free_port()
        self._configure(port, {"page": str(page), "data_root": storage.data_root})
        command = [str(storage.python), "-P", "-m", "airflow", "api-server"]
        log = self._layout.logs / "api-server.log"
        server = Server("the API server", port, command, log, {**self._environment(), **storage.environ})
        try:
            server.wait_until_ready("/api/v2/version")
            yield RunningServer(f"http://{LOOPBACK}:{port}", server.process, self._token(server))
        finally:
            server.stop()

    def _configure(self, port: int, page: dict[str, str | int | float]) -> None:
        write_configuration(self._layout, self._credentials, port, [{"movielens": page}], follow_schedules=False)

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | airflow_environment(self._layout, free_port(), Credentials().api_password)

    def _token(self, server: Server) -> str:
        login = {"username": AIRFLOW_USER, "password": self._credentials.airflow_password}
        with server.connection() as connection:
            connection.request("POST", "/auth/token", json.dumps(login), {"Content-Type": "application/json"})
            token: str = json.load(connection.getresponse())["access_token"]
        return token
