"""A running `make up`, for tests that need a real Airflow."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
import requests
from e2e.browser import TIMEOUT_MS, WIDE, Visit, chromium
from e2e.running_stack import RunningStack
from e2e.stack_processes import processes_of, user_environment

OWN_DAGS = Path(__file__).with_name("dags")
TIMEOUT_SECONDS = 3600
# Each poll takes CPU time of Airflow's API server.
POLL_SECONDS = 1


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
