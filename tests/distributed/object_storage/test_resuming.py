"""A fetch to S3 that is killed resumes from the parts in the bucket, on another machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from distributed.object_storage.fetch_process import PAGE, PART, fetch
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.storage.object_output import ObjectOutput

ROWS = ratings(1_030)
IN_FLIGHT = 16  # by default
DATA, MANIFEST = "days/r.csv", "days/.r.csv.manifest.json"


@pytest.fixture(scope="module")
def the_server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server


@pytest.fixture
def server(the_server):
    the_server.requests.clear()
    return the_server


def start(server, bucket, folder):
    """Start a fetch in a process of a machine with an empty disk."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "distributed.object_storage.fetch_process", server.base_url, bucket.url(DATA)]
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
