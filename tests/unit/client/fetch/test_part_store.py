"""The durable parts of a fetch: when pages are saved, and what a retry resumes from."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace

import polars as pl
import pytest
from unit.scripted_client import (
    EACH_PAGE,
    FRAME,
    MANIFEST,
    ONE_PART,
    WINDOW,
    ScriptedClient,
    WatchedOutput,
    fetch,
    names,
)

from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch import fetch_ratings, fetched_rows
from airflow_movielens.client.settings import Tuning
from airflow_movielens.ratings.schema import RATINGS


def test_a_part_also_ends_after_some_time(tmp_path):
    client = ScriptedClient(5, FatalError("revoked"), tuning=Tuning(part_seconds=0.0, part_share=0.0))
    with pytest.raises(FatalError, match="revoked"):
        fetch(client, tmp_path / "r.csv")
    client.fail_at = None
    fetch(client, tmp_path / "r.csv")
    assert client.begun_at == [0, 5]


class StoredCheckpoints:
    """A place for checkpoints other than the folder of the parts."""

    def __init__(self, values=None):
        self.values = values

    def load(self):
        return self.values

    def save(self, values):
        self.values = values

    def clear(self):
        self.values = None


def checkpoint_file(folder):
    """Return the checkpoint in the folder of the parts; None if there is none yet."""
    return next(folder.glob(".partial-*/checkpoint.json"), None)


def wait_until_all_is_saved(_):
    for thread in threading.enumerate():
        if thread.name == "movielens":
            thread.join()


def test_once_a_part_is_durable_pages_are_saved_as_they_arrive(tmp_path):
    client = ScriptedClient(8, FatalError("revoked"), (4, 7), EACH_PAGE)
    client.before_batch = wait_until_all_is_saved
    for client.fail_at in (8, 9):
        with pytest.raises(FatalError, match="revoked"):
            fetch(client, tmp_path / "r.csv", on_bad_rows="quarantine")
    # A whole part replaces the pages of an attempt, but not those that it found. Their names are not used again: on object
    # storage, another attempt may resume from them.
    (folder,) = tmp_path.glob(".partial-*")
    saved = json.loads(checkpoint_file(tmp_path).read_bytes())["files"]
    assert [re.sub("^[0-9a-f]{8}-", "", name) for name in saved] == [
        "0.arrow", "1.arrow", "1.ndjson", "early-2.arrow", "early-3.arrow", "early-3.ndjson", "early-0.arrow"
    ]  # fmt: skip
    assert names(folder) == sorted(["checkpoint.json", "lock", *saved])
    client.fail_at = None
    manifest = fetch(client, tmp_path / "r.csv", on_bad_rows="quarantine")
    assert client.begun_at == [0, 8, 9]
    assert (manifest.rows, manifest.quarantined) == (1000, 2)
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)
    assert names(tmp_path) == [MANIFEST, "r.csv", "r.csv.quarantine.ndjson"]


def test_pages_that_arrive_together_are_saved_without_waiting_for_another_one(tmp_path):
    saved = []

    def before_batch(number):
        if number == 5:
            wait_until_all_is_saved(number)
            saved.append(json.loads(checkpoint_file(tmp_path).read_bytes())["rows"])

    client = ScriptedClient(tuning=EACH_PAGE)
    client.before_batch = before_batch
    fetch(client, tmp_path / "r.csv")
    assert saved == [500]


def test_pages_that_arrived_before_an_error_are_saved(tmp_path):
    client = ScriptedClient(8, FatalError("revoked"), tuning=replace(EACH_PAGE, early_share=0.001))
    with pytest.raises(FatalError, match="revoked"):
        fetch(client, tmp_path / "r.csv")
    client.fail_at = None
    fetch(client, tmp_path / "r.csv")
    assert client.begun_at == [0, 8]
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)


def test_a_part_ends_when_many_pages_of_it_are_saved(tmp_path, monkeypatch):
    client = ScriptedClient(3, FatalError("revoked"), tuning=EACH_PAGE)
    with pytest.raises(FatalError, match="revoked"):
        fetch(client, tmp_path / "r.csv")
    monkeypatch.setattr("airflow_movielens.client.fetch.part_store._MOST_EARLY", 2)  # instead of 100
    client.fail_at, client.tuning = 9, replace(ONE_PART, early_share=1.0)
    client.before_batch = wait_until_all_is_saved
    with pytest.raises(FatalError, match="revoked"):
        fetch(client, tmp_path / "r.csv")
    files = json.loads(checkpoint_file(tmp_path).read_bytes())["files"]
    # A part of the first attempt and, of the six pages since then, two parts of three.
    assert [name.partition("-")[2] for name in files] == ["0.arrow", "0.arrow", "1.arrow"]


def test_rows_that_nobody_resumes_are_saved_once(tmp_path, temporary_folder):
    client = ScriptedClient(tuning=EACH_PAGE)
    client.before_batch = wait_until_all_is_saved
    with fetched_rows(client, WINDOW):
        assert list(tmp_path.rglob("*-early-*")) == []
        assert len(list(tmp_path.rglob("*.arrow"))) > 1


def test_a_fetch_resumes_from_the_latest_checkpoint_wherever_it_is_stored(tmp_path, caplog):
    stored = StoredCheckpoints()
    client = ScriptedClient(tuning=EACH_PAGE, error=FatalError("revoked"))
    client.before_batch = wait_until_all_is_saved

    def fail_at(number):
        client.fail_at = number
        with pytest.raises(FatalError, match="revoked"):
            fetch(client, tmp_path / "r.csv", checkpoints=stored)

    fail_at(8)
    assert stored.values["rows"] == 600  # whole parts only
    fail_at(9)
    assert client.begun_at == [0, 8]
    # The pages are damaged, but not the whole parts.
    next(tmp_path.glob(".partial-*/*early*")).write_text("damaged")
    fail_at(8)
    assert client.begun_at == [0, 8, 6]
    checkpoint_file(tmp_path).write_text("{")
    fail_at(9)
    assert client.begun_at == [0, 8, 6, 6]
    # Now that of the whole parts is later: it replaces the pages.
    assert stored.values["rows"] == 900
    checkpoint_file(tmp_path).write_text(json.dumps(stored.values | {"saved_at": None}))
    client.fail_at = None
    fetch(client, tmp_path / "r.csv", checkpoints=stored)
    assert client.begun_at == [0, 8, 6, 6, 9]
    assert "Starting over" not in caplog.text
    assert stored.values is None
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)
    assert names(tmp_path) == [MANIFEST, "r.csv"]


@pytest.mark.parametrize(("part_rows", "name", "last"), [(400, "early-0.arrow", 4), (300, "1.arrow", 5)])
def test_nothing_is_saved_after_a_part_that_cannot_be_written(tmp_path, part_rows, name, last):
    later_pages_have_arrived, failed = threading.Event(), []

    def full(saved):
        if saved.partition("-")[2] == name and not failed:
            failed.append(saved)
            assert later_pages_have_arrived.wait(60)
            raise OSError("No space left on device")

    def before_batch(number):
        if number == last + 2:
            later_pages_have_arrived.set()
        if number != last + 1:
            wait_until_all_is_saved(number)

    client = ScriptedClient(tuning=replace(EACH_PAGE, part_rows=part_rows))
    client.before_batch = before_batch
    with pytest.raises(OSError, match="No space left"):
        fetch_ratings(client, WINDOW, WatchedOutput(tmp_path / "r.csv", full))
    client.before_batch = wait_until_all_is_saved
    fetch(client, tmp_path / "r.csv")
    assert client.begun_at == [0, last]
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)
