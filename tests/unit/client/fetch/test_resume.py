"""Resuming a killed fetch: the same bytes, nothing requested twice, nothing left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from unit import fetch_process
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch.checkpoint import LAYOUT

pytestmark = pytest.mark.slow

ROWS = 1_030
MANIFEST = ".r.csv.manifest.json"


@pytest.fixture(scope="module")
def rows():
    return ratings(ROWS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("undisturbed") / "r.csv"
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        fetch_process.fetch(server.base_url, path)
    return path.read_bytes()


def start(server, path, *place):
    command = [sys.executable, str(Path(fetch_process.__file__)), server.base_url, str(path), *place]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def offsets(server, since=0):
    """Return the requests for the window, without those for the days beside it that verify it."""
    asked = [query for _, query, _ in server.requests[since:]]
    return [int(query["offset"]) for query in asked if query["start_date"] == "1970-01-02" and query["limit"] != "1"]


def check_right(folder, undisturbed):
    assert (folder / "r.csv").read_bytes() == undisturbed
    assert names(folder) == [MANIFEST, "r.csv"]
    assert json.loads((folder / MANIFEST).read_bytes())["rows"] == ROWS


@pytest.mark.parametrize("request_number", [0, 3, 9, 17])
def test_a_fetch_killed_while_it_reads_resumes_after_the_durable_parts(tmp_path, rows, undisturbed, request_number):
    children, started = [], threading.Event()

    def script(_, query, number):
        started.wait()
        if number == request_number and children[0].returncode is None:
            children[0].kill()
        return page_of(rows, query)

    with serve(script) as server:
        children.append(start(server, tmp_path / "r.csv"))
        started.set()
        assert children[0].wait() == -signal.SIGKILL
        durable = durable_rows(tmp_path)
        assert not (tmp_path / "r.csv").exists()
        server.requests.clear()
        fetch_process.fetch(server.base_url, tmp_path / "r.csv")
        assert min(offsets(server)) == max(durable - 1, 0)
    check_right(tmp_path, undisturbed)


def durable_rows(folder):
    return sum(json.loads(file.read_bytes())["rows"] for file in folder.glob(".partial-*/checkpoint.json"))


@pytest.mark.parametrize(
    ("place", "is_durable"),
    [
        (("output:LocalFolder.save", "4"), lambda rows: 0 < rows < ROWS),
        (("checkpoint:FileCheckpoints.save", "4"), lambda rows: 0 < rows < ROWS),
        (("fetching:write_rows",), lambda rows: rows == ROWS),
        (("output:LocalOutput.publish",), lambda rows: rows == ROWS),
        (("output:write_whole",), lambda rows: rows == ROWS),  # the data is in its place, the manifest is not
        (("checkpoint:FileCheckpoints.clear",), lambda rows: rows == ROWS),
        (("output:LocalFolder.clear",), lambda rows: rows == 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_fetch_killed_while_it_writes_resumes_after_the_durable_parts(
    tmp_path, undisturbed, place, is_durable, caplog
):
    caplog.set_level("INFO")
    with serve(lambda _, query, __: page_of(ratings(ROWS), query)) as server:
        assert start(server, tmp_path / "r.csv", *place).wait() == -signal.SIGKILL
        durable = durable_rows(tmp_path)
        assert is_durable(durable)
        server.requests.clear()
        fetch_process.fetch(server.base_url, tmp_path / "r.csv")
        asked = offsets(server)
    assert min(asked, default=ROWS) == (durable if durable in {0, ROWS} else durable - 1)
    assert ("Resuming" in caplog.text) == (durable > 0)
    check_right(tmp_path, undisturbed)


def test_a_stale_manifest_never_lies_beside_new_data(tmp_path, rows):
    with serve(lambda _, query, __: page_of(rows[:500], query)) as server:
        fetch_process.fetch(server.base_url, tmp_path / "r.csv")
        old = (tmp_path / "r.csv").read_bytes()
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        assert start(server, tmp_path / "r.csv", "output:write_whole").wait() == -signal.SIGKILL
    assert (tmp_path / "r.csv").read_bytes() != old
    assert not (tmp_path / MANIFEST).exists()


@pytest.fixture
def broken_off(tmp_path, rows):
    """The server, the folder that a fetch left which failed in the middle, and the server's data, to be changed."""
    data = list(rows)

    def script(_, query, number):
        return Response({}, 401) if number == 12 else page_of(data, query)

    with serve(script) as server:
        with pytest.raises(FatalError):
            # One request at a time: otherwise the 12th may be refused before anything is written.
            fetch_process.fetch(server.base_url, tmp_path / "r.csv", concurrency=1)
        server.requests += server.requests  # so that no request is the 12th again
        del server.requests[20:]
        asked = len(server.requests)
        (folder,) = tmp_path.glob(".partial-*")
        assert durable_rows(tmp_path) > 0
        yield SimpleNamespace(url=server.base_url, folder=folder, data=data, asked=lambda: offsets(server, asked))


def change_checkpoint(folder, **changes):
    file = folder / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | changes))


def hours_from_now(hours):
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def saved_at(folder):
    return json.loads((folder / "checkpoint.json").read_bytes())["saved_at"]


def first_part(folder):
    return folder / json.loads((folder / "checkpoint.json").read_bytes())["files"][0]


DAMAGES = {
    "a part is missing": lambda folder: first_part(folder).unlink(),
    "a part is cut": lambda folder: os.truncate(first_part(folder), 100),
    "a byte is another": lambda folder: first_part(folder).write_bytes(
        first_part(folder).read_bytes()[:-1000] + b"x" + first_part(folder).read_bytes()[-999:]
    ),
    "parts changed places": lambda folder: change_checkpoint(
        folder, files=json.loads((folder / "checkpoint.json").read_bytes())["files"][::-1]
    ),
    "the checkpoint is no JSON": lambda folder: (folder / "checkpoint.json").write_bytes(b'{"files": ["\xff'),
    "the checkpoint is no object": lambda folder: (folder / "checkpoint.json").write_text("[1]"),
    "the bookmark is none": lambda folder: change_checkpoint(folder, bookmark={"kind": "offset"}),
    "the checkpoint is of an earlier layout": lambda folder: change_checkpoint(folder, layout=LAYOUT - 1),
    "the checkpoint is of another fetch": lambda folder: change_checkpoint(folder, key="another"),
    "the checkpoint is old": lambda folder: change_checkpoint(folder, saved_at=hours_from_now(-24.1)),
    "the checkpoint is of tomorrow": lambda folder: change_checkpoint(folder, saved_at=hours_from_now(24.1)),
    "the checkpoint counts other rows": lambda folder: change_checkpoint(folder, rows=588),
    "the bookmark is of another kind": lambda folder: (folder / "checkpoint.json").write_bytes(
        (folder / "checkpoint.json").read_bytes().replace(b'"kind": "offset"', b'"kind": "offsft"')
    ),
    "the checkpoint is of no time": lambda folder: change_checkpoint(folder, saved_at=None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_parts_are_not_resumed(tmp_path, broken_off, undisturbed, damage, caplog):
    DAMAGES[damage](broken_off.folder)
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv")
    assert min(broken_off.asked()) == 0
    assert [record.levelname for record in caplog.records if "Starting over" in record.message] == ["WARNING"]
    check_right(tmp_path, undisturbed)


def test_parts_less_than_a_day_old_are_resumed(tmp_path, broken_off, undisturbed):
    assert abs(datetime.fromisoformat(saved_at(broken_off.folder)) - datetime.now(UTC)) < timedelta(hours=1)
    change_checkpoint(broken_off.folder, saved_at=hours_from_now(-23.9))
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv")
    assert min(broken_off.asked()) > 0
    check_right(tmp_path, undisturbed)


def test_data_that_changed_since_the_kill_starts_over(tmp_path, broken_off, rows):
    broken_off.data.insert(0, broken_off.data[0] | {"userId": 0})
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv")
    written = (tmp_path / "r.csv").read_text().splitlines()
    assert len(written) == ROWS + 2
    assert written[1].startswith("0,")
    assert names(tmp_path) == [MANIFEST, "r.csv"]


@pytest.mark.parametrize("page_size", [60, 7, 500, None])
def test_a_fetch_with_another_page_size_resumes(tmp_path, broken_off, undisturbed, page_size):
    durable = durable_rows(tmp_path)
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv", page_size=page_size)
    assert min(broken_off.asked()) == durable - 1
    check_right(tmp_path, undisturbed)


@pytest.mark.parametrize("other", [{"data_format": "json"}, {"user": "somebody"}], ids=str)
def test_a_fetch_with_other_settings_starts_over_and_removes_the_old_parts(tmp_path, broken_off, undisturbed, other):
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv", **other)
    assert min(broken_off.asked()) == 0
    assert not broken_off.folder.exists()
    check_right(tmp_path, undisturbed)


def test_the_parts_of_other_outputs_are_not_touched(tmp_path, broken_off):
    fetch_process.fetch(broken_off.url, tmp_path / "other.csv")
    assert broken_off.folder.exists()


def test_two_concurrent_attempts_both_end_correctly(tmp_path, rows, undisturbed, caplog):
    first_is_in_the_middle, second_is_done = threading.Event(), threading.Event()

    def script(_, query, number):
        if number == 12:
            first_is_in_the_middle.set()
            second_is_done.wait()
        return page_of(rows, query)

    caplog.set_level("INFO")
    with serve(script) as server:
        child = start(server, tmp_path / "r.csv")
        first_is_in_the_middle.wait()
        (folder,) = tmp_path.glob(".partial-*")
        fetch_process.fetch(server.base_url, tmp_path / "r.csv")
        assert folder.exists()
        assert names(tmp_path) == [folder.name, MANIFEST, "r.csv"]
        assert (tmp_path / "r.csv").read_bytes() == undisturbed
        second_is_done.set()
        assert child.wait() == 0
    assert "Another attempt holds" in caplog.text
    check_right(tmp_path, undisturbed)


def test_a_dead_attempt_is_cleaned_up_beside_a_running_one(tmp_path, broken_off, undisturbed):
    dead = broken_off.folder.with_name(broken_off.folder.name + "-0123abcd")
    dead.mkdir()
    (dead / "0123abcd-0.arrow").write_bytes(b"")
    fetch_process.fetch(broken_off.url, tmp_path / "r.csv")
    check_right(tmp_path, undisturbed)
