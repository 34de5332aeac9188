"""A fetch to S3 that is killed resumes from the parts in the bucket, on another machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from distributed.object_storage.fetch_process import IN_FLIGHT, PAGE, PART, fetch
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.storage.object_output import ObjectOutput

ROWS = ratings(1_030)
DATA, MANIFEST = "days/r.csv", "days/.r.csv.manifest.json"


@pytest.fixture(scope="module")
def the_server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server


@pytest.fixture
def server(the_server):
    the_server.requests.clear()
    return the_server


def start(server, bucket, folder, *arguments):
    """Start a fetch in a process of a machine with an empty disk."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "distributed.object_storage.fetch_process", server.base_url, bucket.url(DATA)]
    command += map(str, arguments)
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def offsets_of_pages(server):
    # The check of the server's days requests single rows of the days around the window.
    return sorted(int(query["offset"]) for _, query, _ in server.requests if query["limit"] != "1")


def undisturbed(server, tmp_path):
    fetch(server.base_url, LocalOutput(tmp_path / "undisturbed.csv"))
    return (tmp_path / "undisturbed.csv").read_bytes()


def test_a_killed_fetch_resumes_on_another_machine(bucket, server, tmp_path):
    expected = undisturbed(server, tmp_path)
    server.requests.clear()
    checkpoints = []

    def kill_after_the_third_checkpoint(request):
        if request.name == "put" and request.key.endswith("/checkpoint.json"):
            checkpoints.append(request.key)
            if len(checkpoints) == 3:
                os.kill(process.pid, signal.SIGKILL)

    bucket.proxy.after = kill_after_the_third_checkpoint
    process = start(server, bucket, tmp_path / "first")
    assert process.wait(60) == -signal.SIGKILL
    durable = bucket.json(checkpoints[0])["rows"]
    assert durable >= 3 * PART
    assert DATA not in bucket.names()

    bucket.proxy.reset()
    before = offsets_of_pages(server)
    server.requests.clear()
    assert start(server, bucket, tmp_path / "second").wait(60) == 0
    # Each page overlaps the last row of the one before.
    again = offsets_of_pages(server)
    assert min(again) == durable - 1
    assert len(set(again)) == len(again) <= (len(ROWS) - durable) // (PAGE - 1) + 2
    # Those in flight, and those of the part that was gathered or written.
    assert len(set(again).intersection(before)) <= IN_FLIGHT + 2 * PART // (PAGE - 1) + 2
    assert bucket.read(DATA) == expected
    assert bucket.names() == [MANIFEST, DATA]
    assert bucket.json(MANIFEST)["rows"] == len(ROWS)
    assert not list((tmp_path / "second").iterdir())


def test_only_the_pages_in_flight_are_requested_again(bucket, server, tmp_path):
    expected = undisturbed(server, tmp_path)
    in_flight, part_rows, last = 4, 500, 900
    # Half as many again wait for a page before them.
    ahead = (in_flight + in_flight // 2) * (PAGE - 1)
    saved, is_saved, processes = [0], threading.Condition(), []

    def record(request):
        if request.name == "put" and request.key.endswith("/checkpoint.json"):
            with is_saved:
                saved.append(bucket.json(request.key)["rows"])
                is_saved.notify_all()

    def script(_, query, __):
        offset = int(query["offset"])
        if offset > part_rows + ahead:
            with is_saved:
                # The pages before are saved while those in flight are on their way.
                is_saved.wait_for(lambda: saved[-1] > offset - ahead, 10)
        if offset > last and processes[-1].returncode is None:
            processes[0].kill()
        return page_of(ROWS, query)

    bucket.proxy.after = record
    with serve(script) as slow:
        processes.append(start(slow, bucket, tmp_path / "first", part_rows, 1.0, in_flight))
        assert processes[0].wait(60) == -signal.SIGKILL
        before = set(offsets_of_pages(slow))
        bucket.proxy.reset()
        slow.requests.clear()
        assert start(slow, bucket, tmp_path / "second", part_rows, 1.0, in_flight).wait(60) == 0
        again = offsets_of_pages(slow)
    assert min(again) == saved[-1] - 1
    # Those that were requested, but of which the one before was not saved, and one that overlaps it.
    assert max(before) - saved[-1] <= ahead
    assert len(before.intersection(again)) <= ahead // (PAGE - 1) + 1
    assert bucket.read(DATA) == expected
    assert bucket.names() == [MANIFEST, DATA]


def break_after(bucket, number):
    """Let the store fail from a request on, as seen from a process that is killed there."""
    bucket.proxy.answer = lambda _: (403, "AccessDenied") if len(bucket.proxy.requests) > number else None


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_fetch_that_ends_between_its_puts_is_recognised_and_mended(bucket, server, tmp_path, is_replaced):
    expected = undisturbed(server, tmp_path)
    if is_replaced:
        fetch(server.base_url, ObjectOutput(bucket.url(DATA)))
    bucket.proxy.reset()
    fetch(server.base_url, ObjectOutput(bucket.url(DATA)))
    last = len(bucket.proxy.requests)
    publication = [number for number, request in enumerate(bucket.proxy.requests) if request.key in (DATA, MANIFEST)]
    for number in (publication[-2], publication[-1]):
        bucket.proxy.reset()
        break_after(bucket, number)
        with pytest.raises(FatalError, match="AccessDenied"):
            fetch(server.base_url, ObjectOutput(bucket.url(DATA)))
        assert bucket.json(MANIFEST).keys() == {"unfinished_since", "attempt", "task"}
        bucket.proxy.reset()
        server.requests.clear()
        fetch(server.base_url, ObjectOutput(bucket.url(DATA)))
        assert offsets_of_pages(server) == []  # the parts are complete
        assert bucket.read(DATA) == expected
        assert bucket.json(MANIFEST)["rows"] == len(ROWS)
        assert bucket.names() == [MANIFEST, DATA]
    assert len(bucket.proxy.requests) <= last
