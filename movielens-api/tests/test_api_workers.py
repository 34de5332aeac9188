"""Several worker processes behind one address: all work, the dead are replaced, none is left behind."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from api_testing import Api, Launch, Process, drain, url_of

from movielens_api import assembly, server
from movielens_api.server import workers


@pytest.fixture
def process(launch: Launch, folder: Path) -> Process:
    return launch(
        "serve", "--dataset", str(folder), "--port", "0", "--workers", "3", API_USER="me", API_PASSWORD="pssst"
    )


def children(process: Process) -> set[int]:
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


def eventually(holds: Callable[[], bool]) -> bool:
    for _ in range(300):
        if holds():
            return True
        time.sleep(0.1)
    return False


def is_alive(pid: int) -> bool:
    # A child of nobody waits as a zombie until process 1 takes notice.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(url: str) -> int:
    return requests.get(url + "/ratings", auth=("me", "pssst"), timeout=30).status_code


def test_all_answer_and_count_together(process: Process) -> None:
    server = Api(url_of(process), ("me", "pssst"))
    assert process.stderr
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(process.stderr or []), daemon=True).start()
    # A connection each, held together: none can be accepted twice.
    sessions = [requests.Session() for _ in range(12)]
    for session in sessions:
        assert session.get(server.url + "/ratings", auth=server.auth, timeout=30).json()["total"] == 3

    def counted() -> bool:
        return 'requests_total{method="GET",route="/ratings",status="200"} 12.0' in server.get("/metrics").text

    assert eventually(counted)
    process.terminate()
    process.wait(timeout=30)
    eventually(lambda: len(lines) >= 13)
    asked = [re.search(r'"request":"(\w+)-.*"path":"/ratings"', line) for line in lines]
    assert len({found[1] for found in asked if found}) == 3


def test_no_secret_on_a_command_line(process: Process) -> None:
    url_of(process)
    workers = children(process)
    assert len(workers) == 3
    for pid in workers:
        assert b"pssst" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_dead_worker_is_replaced(process: Process) -> None:
    url = url_of(process)
    before = children(process)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: len(children(process) - {killed}) == 3)
    assert all(answers(url) == 200 for _ in range(10))
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert f"worker {killed} ended with exit status -9; another is started" in errors


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_all_end_together(process: Process, stop: signal.Signals) -> None:
    assert answers(url_of(process)) == 200
    workers = children(process)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert not any(is_alive(pid) for pid in workers)
    assert "Traceback" not in errors


def test_a_killed_parent_leaves_none_behind(process: Process) -> None:
    url = url_of(process)
    workers = children(process)
    assert len(workers) == 3
    process.kill()
    assert eventually(lambda: not any(is_alive(pid) for pid in workers))
    with pytest.raises(requests.ConnectionError):
        answers(url)


def test_a_start_that_fails_fails_at_once(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--workers", "2", "--access-log", str(folder))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert f"cannot write {folder}: Is a directory" in errors
    assert "Traceback" not in errors


def test_connections_are_shared_out(launch: Launch, folder: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--workers", "2", "--access-log", log)
    url = url_of(process)
    threading.Thread(target=drain, args=(process.stderr,), daemon=True).start()
    sessions = [requests.Session() for _ in range(20)]
    threads = [threading.Thread(target=session.get, args=(url + "/healthz",)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.terminate()
    process.wait(timeout=30)
    names = re.findall(r'"request":"(\w+)-', Path(log).read_text())
    assert min(names.count(name) for name in set(names)) >= 4
    assert len(set(names)) == 2


def test_clients_are_refused_until_all_are_ready(launch: Launch, folder: Path) -> None:
    with server.bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    process = launch("serve", "--dataset", str(folder), "--port", str(port), "--workers", "2")
    assert eventually(lambda: len(children(process)) == 2)
    # Python alone takes longer to start than this.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    address = urlsplit(url_of(process))
    socket.create_connection((address.hostname, address.port), timeout=5).close()


Run = Callable[[Callable[[], None]], None]


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Run:
    """Run two workers from this process, and stop them in order."""
    settings = assembly.Settings(dataset=str(folder), access_log="/dev/null", data_dir=str(tmp_path))
    catalogue = assembly.load(settings)

    def serve(announce: Callable[[], None]) -> None:
        with (
            assembly.open_store(settings, catalogue, own=True) as store,
            server.bind("127.0.0.1", 0) as bound,
        ):
            workers.run(2, settings.to_json(), bound, store.fileno(), announce)

    return serve


def test_one_that_starts_during_the_stop_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec
    pids = []

    async def stopped_meanwhile(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started = await start(*arguments, **options)
        pids.append(started.pid)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        return started

    monkeypatch.setattr(asyncio, "create_subprocess_exec", stopped_meanwhile)
    run(lambda: pytest.fail("it goes on"))
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def test_one_that_cannot_be_started_is_tried_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_and_kill() -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        [killed, _] = subprocess.check_output(["pgrep", "-P", str(os.getpid()), "-f", "server.worker"]).split()
        os.kill(int(killed), signal.SIGKILL)
        threading.Thread(target=stop_when_told).start()

    def stop_when_told() -> None:
        assert eventually(lambda: "tried again in 1 seconds" in caplog.text)
        os.kill(os.getpid(), signal.SIGTERM)

    run(break_and_kill)
    assert "cannot start a worker: No such file or directory; tried again in 1 seconds" in caplog.text
