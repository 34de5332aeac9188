"""A fetch to object storage, simulated by a folder that two processes share."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from airflow.sdk.io import attach
from integration.bucket import Bucket
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import MovielensClient, RatingsChangedError, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning
from airflow_movielens.storage.object_output import ObjectOutput
from airflow_movielens.storage.object_parts import ObjectFolder
from airflow_movielens.storage.object_store import object_at

ROWS = ratings(1_030)
WINDOW = Window.of("1970-01-02", "1970-01-03")
TUNING = Tuning(part_rows=100, early_share=0.0, start_over_seconds=0.0)
URL = "s3://bucket/days/r.csv"
STORE = Bucket()
CHILD = """
import os, signal, sys
from airflow.sdk.io import attach
from integration.bucket import Bucket
from integration.test_fetching_to_object_storage import fetch
class Deadly(Bucket):
    puts = 0
    def put_file(self, lpath, rpath, **options):
        super().put_file(lpath, rpath, **options)
        self.puts += 1
        if self.puts == 4:
            os.kill(os.getpid(), signal.SIGKILL)
attach(protocol="s3", fs=Deadly(sys.argv[2]))
fetch(sys.argv[1])
"""


def attach_store(folder):
    STORE.open_at(folder)
    attach(protocol="s3", fs=STORE)


def fetch(base_url, output=None):
    with MovielensClient(base_url, page_size=50, tuning=TUNING) as client:
        return fetch_ratings(client, WINDOW, output or ObjectOutput(URL))


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    attach_store(folder)
    return folder / "bucket" / "days"


@pytest.fixture(scope="module")
def the_server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server


@pytest.fixture
def server(the_server):
    the_server.requests.clear()
    return the_server


@pytest.fixture(scope="module")
def remains(the_server, tmp_path_factory):
    """Return the files that a fetch in a killed process has left in a store."""
    folder = tmp_path_factory.mktemp("remains")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, the_server.base_url, str(folder)]
    child = subprocess.run(command, env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    return folder


@pytest.fixture
def killed(store, remains, server):
    """Create a store in which a killed process has left a part of the window."""
    shutil.copytree(remains, store.parent.parent)
    server.requests.clear()
    (folder,) = store.glob(".partial-*")
    return folder


def offsets_of_pages(server):
    # The check of the server's days requests single rows of the days around the window.
    return [int(query["offset"]) for _, query, _ in server.requests if query["limit"] != "1"]


def check_right(store, server, tmp_path):
    fetch(server.base_url, LocalOutput(tmp_path / "undisturbed.csv"))
    assert (store / "r.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()
    assert sorted(file.name for file in store.iterdir()) == [".r.csv.manifest.json", "r.csv"]
    assert json.loads((store / ".r.csv.manifest.json").read_bytes())["path"] == URL


def test_a_killed_fetch_resumes_after_the_durable_parts(killed, store, server, tmp_path):
    durable = json.loads((killed / "checkpoint.json").read_bytes())["rows"]
    fetch(server.base_url)
    assert min(offsets_of_pages(server)) == durable - 1 > 0
    check_right(store, server, tmp_path)


@pytest.mark.parametrize("vanished", ["a part", "the checkpoint"])
def test_missing_parts_are_fetched_again(killed, store, server, tmp_path, vanished):
    checkpoint = killed / "checkpoint.json"
    # A part that is not yet in the checkpoint is not needed.
    part = killed / json.loads(checkpoint.read_bytes())["files"][0]
    (part if vanished == "a part" else checkpoint).unlink()
    fetch(server.base_url)
    assert min(offsets_of_pages(server)) == 0
    check_right(store, server, tmp_path)


def test_an_attempt_that_ends_does_not_damage_another_one(store, server, tmp_path):
    kept = []

    class SlowFolder(ObjectFolder):
        def save(self, name):
            super().save(name)
            kept.append(name)
            if len(kept) == 4:  # another attempt resumes from these parts, finishes and cleans up
                fetch(server.base_url, SlowOutput(URL))
                assert not list(store.glob(".partial-*"))

    class SlowOutput(ObjectOutput):
        @contextmanager
        def folder(self, key):
            with super().folder(key) as folder:
                yield SlowFolder(object_at(URL), key, folder.local)

    fetch(server.base_url, SlowOutput(URL))
    assert len(set(kept)) == len(kept) > 8
    check_right(store, server, tmp_path)


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv", "[!b].csv", "a#b.csv", "a b%20.csv", "ü.csv"])
@pytest.mark.parametrize("folder", ["d", "d[1]", "d*"])
def test_the_parts_of_other_outputs_are_not_touched(tmp_path, folder, name):
    attach_store(tmp_path)
    key = "0123456789abcdef"
    others = [f"{folder}/.partial-ab.csv-{key}/x", f"d1/.partial-{name}-{key}/x", f"{folder}/ab.csv"]
    for other in others:
        STORE.pipe_file(f"bucket/{other}", b"1")
    with ObjectOutput(f"s3://bucket/{folder}/{name}").folder(key) as parts:
        (parts.local / "0123abcd-0.arrow").write_bytes(b"2")
        parts.save("0123abcd-0.arrow")
        parts.checkpoints.save({})
        parts.clear()
    assert sorted(STORE.find("bucket")) == sorted(f"bucket/{other}" for other in others)
    assert not STORE.isdir(f"bucket/{folder}/.partial-{name}-{key}")


def test_only_names_that_a_fetch_writes_are_removed(killed, store, server, tmp_path):
    (killed / "notes.txt").touch()
    (store / f".partial-r.csv-{'1' * 16}").symlink_to(tmp_path)
    (tmp_path / "0123abcd-0.arrow").touch()
    fetch(server.base_url)
    assert [file.name for file in killed.iterdir()] == ["notes.txt"]
    assert (tmp_path / "0123abcd-0.arrow").exists()


def test_data_that_keeps_changing_leaves_no_checkpoint(store):
    def changing(_, query, number):
        is_beside = query["start_date"] != "1970-01-02"
        return page_of(ROWS, query) if is_beside else page_of(ROWS, query, total=1030 + number // 12)

    with serve(changing) as changing_server:
        with pytest.raises(RatingsChangedError):
            fetch(changing_server.base_url)
    assert [file.read_text() for file in store.glob("**/checkpoint.json")] == ["null"]
    assert not (store / "r.csv").exists()


def test_a_fetch_works_without_permission_to_delete(store, server, caplog):
    STORE.refused = dict.fromkeys(("rm", "rm_file"), PermissionError("delete is not allowed"))
    fetch(server.base_url)
    assert "cannot be removed: delete is not allowed" in caplog.text
    server.requests.clear()
    fetch(server.base_url)  # from the start, not from the parts that could not be removed
    assert len(server.requests) > 20
    assert (store / "r.csv").read_text().count("\n") == 1031


def test_the_folders_of_other_outputs_are_not_removed(killed, store, server):
    other = killed.with_name(f".partial-r.csv-of-another.csv-{'0' * 16}")
    killed.rename(other)
    fetch(server.base_url)
    assert list(other.iterdir())


def test_a_fetch_works_without_permission_to_list(store, server):
    # Without that permission, S3 returns 403 for a missing object.
    STORE.refused = dict.fromkeys(("exists", "cat_file", "glob"), PermissionError("listing is not allowed"))
    fetch(server.base_url)
    assert (store / "r.csv").read_text().count("\n") == 1031
