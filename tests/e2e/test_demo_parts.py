"""The parts of the demo that a normal run does not show."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import time

import pytest

from demo.configuration import Credentials
from demo.errors import DemoError
from demo.ports import choose_port
from demo.processes import Component, process_groups, stop
from demo.report import movement
from demo.watch import Interruption, Watch


@pytest.fixture
def start(tmp_path):
    """Start Python programs as components, which end with the test."""
    components = []

    def start(program):
        command = [sys.executable, "-c", program]
        components.append(Component("program", command, dict(os.environ), tmp_path, tmp_path / "program.log"))
        return components[-1]

    yield start
    stop(components)


def test_a_busy_port_is_replaced_and_a_chosen_one_is_reserved():
    with socket.create_server(("127.0.0.1", 0)) as busy, contextlib.ExitStack() as claims:
        busy_port = busy.getsockname()[1]
        chosen = choose_port(busy_port, claims)
        assert chosen != busy_port
        assert choose_port(chosen, claims) != chosen


def test_a_dead_component_is_reported_with_the_end_of_its_log(start):
    watch = Watch(Interruption(), timeout=60)
    watch.components.append(start("print('no such database'); raise SystemExit(3)"))
    with pytest.raises(DemoError, match="program ended with exit code 3") as caught:
        watch.until("what never happens", lambda: None)
    assert caught.value.details == "no such database"


def test_waiting_times_out(start):
    watch = Watch(Interruption(), timeout=0)
    watch.components.append(start("import time; time.sleep(600)"))
    time.sleep(0.01)
    with pytest.raises(DemoError, match="waiting for what never happens"):
        watch.until("what never happens", lambda: None)


def test_stopping_also_ends_processes_that_left_their_group(start):
    component = start(
        "import os, time; os.fork() == 0 and os.setpgid(0, 0); print('ready', flush=True); time.sleep(600)"
    )
    while component.log.read_text().count("ready") < 2:
        time.sleep(0.01)
    assert len(process_groups({component.session})) == 2
    stop([component])
    assert process_groups({component.session}) == set()


def test_secrets_are_kept_and_only_their_owner_can_read_them(tmp_path):
    credentials = Credentials.load(tmp_path)
    assert Credentials.load(tmp_path) == credentials
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    assert credentials.api_password not in repr(credentials)


@pytest.mark.parametrize(
    ("is_new", "change", "shown"),
    [("true", "", "new"), ("false", "0", "="), ("false", "43", "▲ 43"), ("false", "-2", "▼ 2")],
)
def test_movement_is_shown_as_in_charts(is_new, change, shown):
    assert movement({"is_new": is_new, "rank_change": change}) == shown
