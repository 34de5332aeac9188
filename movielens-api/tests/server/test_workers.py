"""Several worker processes on one socket: all serve the same ratings, dead ones are replaced, none outlives the server."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import streaming_testing
from api_testing import Api, Launch, Process, children, is_alive, url_of

from movielens_api import bootstrap, server
from movielens_api.errors import StartupError
from movielens_api.middleware.request_limits import Limits
from movielens_api.server import workers
from movielens_api.server.worker import ALIVE, READY
from movielens_api.server.workers import Patience, Workers

ME = ("me", "pssst")


def eventually(holds: Callable[[], bool]) -> bool:
    for _ in range(300):
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_a_killed_parent_leaves_no_worker(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--workers", "2")
    url = url_of(process)
    workers = children(process)
    assert len(workers) == 2
    process.kill()
    assert eventually(lambda: not any(is_alive(pid) for pid in workers))
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/healthz", timeout=30)


def test_a_start_that_fails_fails_at_once(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--workers", "2", "--access-log", str(folder))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert f"cannot write {folder}: Is a directory" in errors
    assert "Traceback" not in errors


@dataclass
class Shared:
    """Two workers that a test may post to; each test has a year of its own, after all ratings of the sample."""

    process: Process
    url: str
    errors: list[str]
    access_log: Path

    def api(self) -> Api:
        """Return a client with a connection of its own."""
        return Api(self.url, ME)

    def asked(self) -> list[str]:
        """Return the worker of each request so far."""
        return re.findall(r'"request":"(\w+)-', self.access_log.read_text())


@pytest.fixture(scope="module")
def shared(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    log = tmp_path_factory.mktemp("log") / "access.log"
    options = ("--port", "0", "--workers", "2", "--access-log", str(log))
    process = launch("serve", *options, API_USER=ME[0], API_PASSWORD=ME[1])
    started = Shared(process, url_of(process), [], log)
    for pipe, lines in ((process.stdout, []), (process.stderr, started.errors)):
        threading.Thread(target=lines.extend, args=(pipe,), daemon=True).start()
    return started


def test_all_workers_respond_and_count_together(shared: Shared) -> None:
    # A worker reports that it is ready a moment before the first connection is accepted.
    assert eventually(lambda: shared.api().get("/healthz").ok and len(set(shared.asked())) == 2)

    def counted() -> int:
        found = re.search(
            r'requests_total{method="GET",route="/users",status="200"} (\d+)', shared.api().get("/metrics").text
        )
        return int(found[1]) if found else 0

    before, entries = counted(), len(shared.asked())
    # A connection each, held together: none can be accepted twice.
    apis = [shared.api() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        assert {response.status_code for response in pool.map(lambda api: api.get("/users"), apis)} == {200}
    assert eventually(lambda: counted() == before + 20)
    assert eventually(lambda: len(shared.asked()) >= entries + 20)
    names = re.findall(r'"request":"(\w+)-.*"path":"/users"', shared.access_log.read_text())
    assert min(names.count(name) for name in set(shared.asked())) >= 4


def test_no_secret_on_a_command_line(shared: Shared) -> None:
    workers = children(shared.process)
    assert len(workers) == 2
    for pid in workers:
        assert ME[1].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_each_process_shows_on_request_where_it_is(shared: Shared) -> None:
    processes = {shared.process.pid, *children(shared.process)}
    for pid in processes:
        os.kill(pid, signal.SIGUSR1)
    # Of each at least the main thread.
    assert eventually(lambda: sum("Current thread" in line for line in shared.errors) == 3)
    assert {shared.process.pid, *children(shared.process)} == processes
    assert all(is_alive(pid) for pid in processes)


def rows_of(year: int, numbers: Iterable[int], rating: float = 4.0) -> list[dict[str, Any]]:
    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    return [{"movieId": 7, "rating": rating, "timestamp": start + number, "userId": 5} for number in numbers]


def window(year: int) -> str:
    return f"/ratings?start_date={year}-01-01&end_date={year + 1}-01-01"


def test_a_post_to_one_worker_is_read_from_all_at_once(shared: Shared) -> None:
    before, asked = len(shared.asked()), set[str]()
    for number in count():
        if number >= 30 and len(asked) == 2:
            break
        assert number < 1_000, "one worker is never asked"
        # A connection each: whichever worker is free.
        posted = shared.api().post(rows_of(2030, [number]))
        seen = shared.api().ask(window(2030))
        assert seen.json()["total"] == number + 1
        assert seen.headers["snapshot"] == posted.headers["snapshot"]
        asked = set(shared.asked()[before:])


def test_a_key_is_known_to_all_workers(shared: Shared) -> None:
    first = shared.api().post(rows_of(2031, [1]), idempotency_key="once")
    assert "idempotency-replayed" not in first.headers
    shared.api().post(rows_of(2031, [1], rating=1.0))
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: shared.api().post(rows_of(2031, [1]), idempotency_key="once"), range(20)))
    assert {(each.status_code, each.headers["idempotency-replayed"], each.headers["snapshot"]) for each in again} == {
        (201, "true", first.headers["snapshot"])
    }
    assert shared.api().ask(window(2031)).json()["result"] == rows_of(2031, [1], rating=1.0)


def test_a_cursor_leads_through_one_snapshot_on_any_worker(shared: Shared) -> None:
    expected = rows_of(2032, range(0, 200, 2))
    shared.api().post(expected)
    response = shared.api().ask(window(2032) + "&limit=5")
    found, names = response.json()["result"], {response.headers["snapshot"]}
    for number in count(1, step=2):
        if "next" not in response.links:
            break
        shared.api().post(rows_of(2032, [number]))
        response = shared.api().ask("/ratings" + response.links["next"]["url"])
        found += response.json()["result"]
        names.add(response.headers["snapshot"])
    assert found == expected
    assert len(names) == 1


def test_a_killed_worker_is_replaced_and_loses_nothing_that_was_acknowledged(shared: Shared) -> None:
    process = shared.process
    before, acknowledged, broken = children(process), list[int](), list[int]()
    is_over = threading.Event()

    def post(first: int) -> None:
        for number in count(first, step=4):
            if is_over.is_set():
                return
            try:
                response = shared.api().post(rows_of(2033, [number]))
            except requests.ConnectionError:
                broken.append(number)
            else:
                assert response.status_code == 201, response.text
                acknowledged.append(number)

    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post, first) for first in range(4)]
        try:
            assert eventually(lambda: len(acknowledged) > 20)
            os.kill(min(before), signal.SIGKILL)
            so_far = len(acknowledged)
            assert eventually(lambda: len(children(process) - {min(before)}) == 2)
            assert eventually(lambda: len(acknowledged) > so_far + 20)
        finally:
            is_over.set()
    for each in posting:
        each.result()
    message = f"worker {min(before)} ended with exit status -9; starting another"
    assert any(message in line for line in shared.errors)
    # So those that respond now have it from the disk.
    os.kill(max(before), signal.SIGKILL)
    assert eventually(lambda: not is_alive(max(before)))
    for _ in range(4):
        response = shared.api().ask(window(2033) + "&limit=10000").json()
        found = {row["timestamp"] for row in response["result"]}
        assert len(found) == response["total"]
        assert {row["timestamp"] for row in rows_of(2033, acknowledged)} <= found
        assert found <= {row["timestamp"] for row in rows_of(2033, acknowledged + broken)}


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


Run = Callable[..., None]


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Run:
    """Run two workers from this process until they are stopped."""
    settings = bootstrap.Settings(dataset=str(folder), access_log="/dev/null", data_dir=str(tmp_path))
    catalogue = bootstrap.load(settings)

    def serve(announce: Callable[[], None], command: Sequence[str] = workers.COMMAND, **arguments: Any) -> None:
        with (
            bootstrap.open_store(settings, catalogue, own=True) as store,
            server.bind("127.0.0.1", 0) as bound,
        ):
            (tmp_path / "metrics").mkdir()
            shared = str(tmp_path / "metrics")
            running = Workers(settings.to_json(), bound, store.fileno(), shared, command=command, **arguments)
            asyncio.run(running.serve(2, announce))

    return serve


def running_workers(command: str = "server.worker") -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", command], capture_output=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


class StoppingCommand(tuple[str, ...]):
    """A command that stops this process each time when it is about to be started."""

    times_started = 0

    def __iter__(self) -> Iterator[str]:
        self.times_started += 1
        # Python handles the signal when it waits for the start of the worker.
        os.kill(os.getpid(), signal.SIGTERM)
        return super().__iter__()


def test_a_worker_that_starts_during_the_stop_ends(run: Run) -> None:
    command = StoppingCommand(workers.COMMAND)
    run(lambda: pytest.fail("the server started"), command)
    assert command.times_started == 2
    assert running_workers() == []


def test_a_worker_that_cannot_be_started_is_retried(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = tmp_path / "worker"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(workers.COMMAND)} "$@"\n')
    program.chmod(0o700)

    def break_and_kill() -> None:
        program.unlink()
        [killed, _] = running_workers()
        os.kill(killed, signal.SIGKILL)
        threading.Thread(target=stop_when_told).start()

    def stop_when_told() -> None:
        assert eventually(lambda: "retrying in 1 seconds" in caplog.text)
        os.kill(os.getpid(), signal.SIGTERM)

    run(break_and_kill, [str(program)])
    assert "cannot start a worker: No such file or directory; retrying in 1 seconds" in caplog.text


class Script:
    """Workers that are scripts, which start at once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "worker"
        self._once = folder / "once"

    def __call__(self, *lines: str, first: str = ":") -> list[str]:
        """Return a command that runs lines of shell. The first process runs another one before."""
        once = f'mkdir "{self._once}" 2>/dev/null && {{ {first}; }}'
        self._path.write_text("\n".join(["#!/bin/sh", once, *lines]))
        self._path.chmod(0o700)
        return [str(self._path)]

    def running(self) -> list[int]:
        return running_workers(str(self._path))


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


SERVE = f"printf {READY.decode()}; while sleep 0.1; do printf {ALIVE.decode()}; done"


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_worker_that_is_killed_while_it_starts_is_started_again(
    run: Run, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    announced = []

    def announce() -> None:
        announced.append(len(script.running()))
        stop()

    run(announce, script(SERVE, first="kill -KILL $$"))
    assert announced == [2]
    assert caplog.messages == ["a worker exited with status -9 before it was ready; retrying in 1 seconds"]


def test_a_server_whose_workers_all_fail_repeatedly_ends(
    run: Run, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StartupError, match="no worker could be started in 3 attempts"):
        run(lambda: pytest.fail("the server started"), script("kill -KILL $$"))
    reason = "a worker exited with status -9 before it was ready"
    attempts = [f"{reason}; retrying in 1 seconds", f"{reason}; retrying in 2 seconds", reason]
    assert sorted(caplog.messages) == sorted(attempts * 2)


def test_one_worker_is_enough_to_start(run: Run, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    run(stop, script("kill -KILL $$", first=SERVE))
    assert len(caplog.messages) == 3


def test_a_worker_that_says_nothing_when_it_starts_is_replaced(
    run: Run, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    run(stop, script(SERVE, first="exec sleep 60"), patience=Patience(starting_seconds=1))
    assert caplog.messages == ["a worker exited with status -9 before it was ready; retrying in 1 seconds"]


def test_workers_that_hang_are_replaced_one_after_the_other(
    run: Run, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = list[int](), list[int]()

    def stop_all() -> None:
        before.extend(script.running())
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        threading.Thread(target=stop_when_replaced).start()

    def stop_when_replaced() -> None:
        try:
            assert eventually(lambda: not set(before) & set(script.running()) and len(script.running()) == 2)
            after.extend(script.running())
        finally:
            stop()

    run(stop_all, script(SERVE), patience=Patience(seconds=1.2))
    assert len(after) == 2
    lines = [[line.replace(str(pid), "N") for line in caplog.messages if str(pid) in line] for pid in before]
    expected = ["worker N has not responded for 1.2 seconds", "worker N ended with exit status -9; starting another"]
    assert lines == [expected] * 2
    # Never two at a time.
    assert [line.split()[2] for line in caplog.messages] == ["has", "ended", "has", "ended"]


def test_workers_are_not_killed_because_they_and_their_parent_were_suspended(
    run: Run, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = list[int](), list[int]()

    def suspend() -> None:
        before.extend(script.running())
        mine, others = os.getpid(), " ".join(map(str, before))
        # The workers have said nothing when this process continues.
        stops = f"kill -STOP {others} {mine}; sleep 3; kill -CONT {mine}; sleep 0.5; kill -CONT {others}"
        with subprocess.Popen(["sh", "-c", stops], start_new_session=True):
            pass
        time.sleep(1)
        after.extend(script.running())
        stop()

    run(threading.Timer(0.5, suspend).start, script(SERVE), patience=Patience(seconds=2.4))
    assert len(before) == 2
    assert after == before
    assert caplog.messages == []


def test_a_worker_shows_that_it_is_alive_until_it_is_stopped(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = list[int](), list[int]()

    def stop_one() -> None:
        before.extend(running_workers())
        os.kill(before[0], signal.SIGSTOP)
        threading.Thread(target=stop_when_replaced).start()

    def stop_when_replaced() -> None:
        try:
            assert eventually(lambda: "ended with exit status" in caplog.text and len(running_workers()) == 2)
            after.extend(running_workers())
        finally:
            stop()

    run(stop_one, patience=Patience(seconds=8))
    assert before[1] in after
    assert caplog.messages == [
        f"worker {before[0]} has not responded for 8 seconds",
        f"worker {before[0]} ended with exit status -9; starting another",
    ]


def test_a_stopped_worker_finishes_its_response_when_the_server_is_stopped(launch: Launch) -> None:
    process = launch("serve", "--dataset", "synthetic:400000", "--port", "0", "--workers", "2")
    address = urlsplit(url_of(process))
    assert address.port
    with streaming_testing.request(address.port, "text/csv") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        stopped = children(process)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        received = bytearray()
        while piece := connection.recv(1 << 20):
            received += piece
    assert received.endswith(b"\r\n0\r\n\r\n")
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, len(stopped)) == (0, 2)
    assert "ERROR" not in errors
    assert not any(is_alive(pid) for pid in stopped)


def test_a_worker_that_ignores_the_stop_is_killed(run: Run, script: Script, tmp_path: Path) -> None:
    survive = f"for _ in $(seq 150); do sleep 0.1; done; touch '{tmp_path}/survived'"
    command = script("trap '' TERM", f"printf {READY.decode()}", survive)
    run(stop, command, limits=Limits(finish_seconds=0, close_seconds=0))
    assert script.running() == []
    assert not (tmp_path / "survived").exists()
