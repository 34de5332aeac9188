"""Several worker processes behind one address: all work, on the same ratings; the dead are replaced, none stays."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from api_testing import Api, Launch, Process, drain, drained, url_of

from movielens_api import bootstrap, server
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
    sessions = [requests.Session() for _ in range(24)]
    for session in sessions:
        assert session.get(server.url + "/ratings", auth=server.auth, timeout=30).json()["total"] == 3

    def counted() -> bool:
        return 'requests_total{method="GET",route="/ratings",status="200"} 24.0' in server.get("/metrics").text

    assert eventually(counted)
    process.terminate()
    process.wait(timeout=30)
    eventually(lambda: len(lines) >= 25)
    asked = [re.search(r'"request":"(\w+)-.*"path":"/ratings"', line) for line in lines]
    # Which one takes a connection is up to the system: on a busy machine one of them may be late.
    assert len({found[1] for found in asked if found}) >= 2


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
    log = tmp_path / "log"
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--workers", "2", "--access-log", str(log))
    url = url_of(process)
    threading.Thread(target=drain, args=(process.stderr,), daemon=True).start()

    def answered() -> list[str]:
        return re.findall(r'"request":"(\w+)-', log.read_text())

    def both_answer() -> bool:
        # Ready is said a moment before the first connection is accepted.
        requests.get(url + "/healthz", timeout=30)
        return len(set(answered())) == 2

    assert eventually(both_answer)
    sessions = [requests.Session() for _ in range(20)]
    threads = [threading.Thread(target=session.get, args=(url + "/healthz",)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.terminate()
    process.wait(timeout=30)
    names = answered()
    assert min(names[-20:].count(name) for name in set(names)) >= 4


@pytest.fixture(scope="module")
def access_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def shared(launch: Launch, tmp_path_factory: pytest.TempPathFactory, access_log: Path) -> tuple[Process, str]:
    """Two workers that a test may post to; each test has a year of its own, after all ratings of the sample."""
    data = str(tmp_path_factory.mktemp("data"))
    process = launch("serve", "--port", "0", "--workers", "2", "--data-dir", data, "--access-log", str(access_log))
    return process, drained(process)


def rows_of(year: int, numbers: Iterable[int], rating: float = 4.0) -> list[dict[str, Any]]:
    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    return [{"movieId": 7, "rating": rating, "timestamp": start + number, "userId": 5} for number in numbers]


def window(year: int) -> str:
    return f"/ratings?start_date={year}-01-01&end_date={year + 1}-01-01"


def test_what_one_worker_took_all_read_at_once(shared: tuple[Process, str], access_log: Path) -> None:
    _, url = shared
    asked: set[str] = set()
    for number in count():
        if number >= 30 and len(asked) == 2:
            break
        assert number < 1_000, "one worker is never asked"
        # A connection each: whichever worker is free.
        posted = Api(url).post(rows_of(2030, [number]))
        seen = Api(url).ask(window(2030))
        assert seen.json()["total"] == number + 1
        assert seen.headers["snapshot"] == posted.headers["snapshot"]
        asked = set(re.findall(r'"request":"(\w+)-', access_log.read_text()))


def test_a_key_is_known_to_all_workers(shared: tuple[Process, str]) -> None:
    _, url = shared
    first = Api(url).post(rows_of(2031, [1]), idempotency_key="once")
    assert "idempotency-replayed" not in first.headers
    Api(url).post(rows_of(2031, [1], rating=1.0))
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: Api(url).post(rows_of(2031, [1]), idempotency_key="once"), range(20)))
    assert {(each.status_code, each.headers["idempotency-replayed"], each.headers["snapshot"]) for each in again} == {
        (201, "true", first.headers["snapshot"])
    }
    assert Api(url).ask(window(2031)).json()["result"] == rows_of(2031, [1], rating=1.0)


def test_a_cursor_leads_through_one_snapshot_on_any_worker(shared: tuple[Process, str]) -> None:
    _, url = shared
    expected = rows_of(2032, range(0, 200, 2))
    Api(url).post(expected)
    answer = Api(url).ask(window(2032) + "&limit=5")
    found, names = answer.json()["result"], {answer.headers["snapshot"]}
    for number in count(1, step=2):
        if "next" not in answer.links:
            break
        Api(url).post(rows_of(2032, [number]))
        answer = Api(url).ask("/ratings" + answer.links["next"]["url"])
        found += answer.json()["result"]
        names.add(answer.headers["snapshot"])
    assert found == expected
    assert len(names) == 1


def test_a_killed_worker_loses_nothing_that_was_acknowledged(shared: tuple[Process, str]) -> None:
    process, url = shared
    before, acknowledged, broken = children(process), list[int](), list[int]()
    is_over = threading.Event()

    def post(first: int) -> None:
        for number in count(first, step=4):
            if is_over.is_set():
                return
            try:
                answer = Api(url).post(rows_of(2033, [number]))
            except requests.ConnectionError:
                broken.append(number)
            else:
                assert answer.status_code == 201, answer.text
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
    # So those who answer now have it from the disk.
    os.kill(max(before), signal.SIGKILL)
    assert eventually(lambda: not is_alive(max(before)))
    for _ in range(4):
        answer = Api(url).ask(window(2033) + "&limit=10000").json()
        found = {row["timestamp"] for row in answer["result"]}
        assert len(found) == answer["total"]
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


Run = Callable[[Callable[[], None]], None]


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Run:
    """Run two workers from this process, and stop them in order."""
    settings = bootstrap.Settings(dataset=str(folder), access_log="/dev/null", data_dir=str(tmp_path))
    catalogue = bootstrap.load(settings)

    def serve(announce: Callable[[], None]) -> None:
        with (
            bootstrap.open_store(settings, catalogue, own=True) as store,
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
