"""A second API server of a running stack: behind a path, with a data root of its own, and with users of other rights."""

from __future__ import annotations

import contextlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from integration.page.dag_rights import ENGINEER, DagRightsAuthManager

from demo.configuration import AIRFLOW_USER, airflow_environment
from demo.layout import ROOT
from demo.ports import LOOPBACK, choose_port
from demo.processes import Component, stop
from demo.stack import AIRFLOW_COMPONENTS, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.running_stack import RunningStack

PATH = "/air/flow"
STRANGER = "stranger"
USERS = {AIRFLOW_USER: "admin", ENGINEER: "viewer", STRANGER: ""}


@dataclass(frozen=True)
class PageServer:
    """A running API server.

    Attributes:
        address: Its URL with its path.
        root: A symbolic link, which is its data root.
        layout: The folders of the stack, whose database it reads.
    """

    address: str
    root: Path
    passwords: Path

    def token(self, user: str) -> str:
        """Log in and return the token, which a browser sends as the cookie ``_token``."""
        login = {"username": user, "password": json.loads(self.passwords.read_text())[user]}
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(f"{self.address}/auth/token", json=login, timeout=60)
        token: str = response.json()["access_token"]
        return token

    def read(self, target: Path) -> None:
        """Let the data root be another folder, from the next request on."""
        self.root.unlink(missing_ok=True)
        self.root.symlink_to(target)


@contextmanager
def page_server(stack: RunningStack, folder: Path) -> Iterator[PageServer]:
    """Start an API server with a data root in a folder that is still missing there."""
    with contextlib.ExitStack() as resources:
        port = choose_port(8090, resources)
        address = f"http://{LOOPBACK}:{port}{PATH}"
        passwords = folder / "passwords.json"
        passwords.write_text("{}")
        settings = {
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__AUTH_MANAGER": f"{DagRightsAuthManager.__module__}.{DagRightsAuthManager.__qualname__}",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__MOVIELENS__DATA_ROOT": str(folder / "root"),
            "PYTHONPATH": str(ROOT / "tests"),
        }
        # It runs no tasks, so the address of the ratings API does not matter.
        environment = airflow_environment(stack.layout, 0, stack.credentials.api_password) | settings
        command = [*PYTHON, "-m", "airflow", *AIRFLOW_COMPONENTS["api-server"]]
        server = Component("the second API server", command, environment, folder, folder / "log")
        resources.callback(stop, [server])
        stack.watch.components.append(server)
        resources.callback(stack.watch.components.remove, server)
        stack.until("the second API server", lambda: _responds(address))
        yield PageServer(address, folder / "root", passwords)


def _responds(address: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"{address}/api/v2/monitor/health", timeout=60).ok
        except requests.ConnectionError:
            return False
