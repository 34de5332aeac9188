"""Fetching a window into a file: complete or not at all, with a manifest beside it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
from unit.disk import largest_file
from unit.moments import when_called
from unit.scripted_client import (
    FRAME,
    MANIFEST,
    ONE_PART,
    SHORT_PARTS,
    WINDOW,
    ScriptedClient,
    WatchedOutput,
    fetch,
    names,
)
from unit.scripted_server import page_of, rating, ratings, serve

from airflow_movielens import __version__
from airflow_movielens.client import (
    DataError,
    FatalError,
    MovielensClient,
    RatingsChangedError,
)
from airflow_movielens.client.errors import BadRow
from airflow_movielens.client.fetch import LocalOutput, LogProgress, Progress, fetch_ratings, fetched_rows
from airflow_movielens.client.fetch.parts import Part
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.ratings.atomic_files import write_whole
from airflow_movielens.ratings.locks import try_lock
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.writing import write_rows


def test_the_manifest_describes_the_file(tmp_path):
    manifest = fetch(ScriptedClient(), tmp_path / "r.csv")
    content = (tmp_path / "r.csv").read_bytes()
    assert json.loads((tmp_path / MANIFEST).read_text()) == manifest.to_dict()
    known = manifest.to_dict()
    assert datetime.fromisoformat(known.pop("fetched_at")).utcoffset().total_seconds() == 0
    assert known == {
        "path": str(tmp_path / "r.csv"),
        "start_date": "1970-01-02",
        "end_date": "1970-01-03",
        "rows": 1000,
        "histogram": [FRAME["rating"].to_list().count(stars / 2) for stars in range(1, 11)],
        "quarantined": 0,
        "quarantine_path": None,
        "snapshot": "s7",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "source": "http://api",
        "package_version": __version__,
        "task": None,
    }


@pytest.mark.parametrize("early_share", [0.0, 1.0])
def test_a_small_window_is_not_written_twice(tmp_path, early_share):
    output = WatchedOutput(tmp_path / "r.parquet", lambda name: pytest.fail(f"a part was written: {name}"))
    fetch_ratings(ScriptedClient(tuning=replace(ONE_PART, early_share=early_share)), WINDOW, output)
    assert pl.read_parquet(tmp_path / "r.parquet").equals(FRAME)
    assert names(tmp_path) == [".r.parquet.manifest.json", "r.parquet"]


def test_a_window_without_ratings_gives_a_file_without_rows(tmp_path):
    with serve(lambda _, query, __: page_of([], query)) as server, MovielensClient(server.base_url) as client:
        assert fetch(client, tmp_path / "r.parquet").rows == 0
    assert pl.read_parquet(tmp_path / "r.parquet").equals(RATINGS.empty())


@pytest.mark.parametrize(
    "ending", ["json", "json.gz", "ndjson", "ndjson.gz", "ndjson.zst", "csv.gz", "csv.zst", "parquet"]
)
def test_the_file_does_not_depend_on_its_parts(tmp_path, ending):
    fetch(ScriptedClient(), tmp_path / f"one.{ending}")
    fetch(ScriptedClient(tuning=SHORT_PARTS), tmp_path / f"many.{ending}")
    assert (tmp_path / f"many.{ending}").read_bytes() == (tmp_path / f"one.{ending}").read_bytes()


def test_an_error_in_the_middle_leaves_the_old_file_and_parts_to_resume_from(tmp_path):
    (tmp_path / "r.csv").write_text("old")
    client = ScriptedClient(7, FatalError("revoked"), tuning=SHORT_PARTS)
    with pytest.raises(FatalError, match="revoked"):
        fetch(client, tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == "old"
    client.fail_at = None
    fetch(client, tmp_path / "r.csv")
    assert client.begun_at == [0, 6]
    assert names(tmp_path) == [MANIFEST, "r.csv"]


def test_a_fetch_of_changing_data_starts_over_and_finally_gives_up_leaving_nothing(tmp_path):
    client = ScriptedClient(7, RatingsChangedError("changed"), tuning=SHORT_PARTS)
    with pytest.raises(RatingsChangedError):
        fetch(client, tmp_path / "r.csv")
    assert client.begun_at == [0, 0, 0, 0]
    assert names(tmp_path) == []


def test_a_fetch_resumes_after_it_reported_a_full_disk(tmp_path):
    kept = []

    def full(name):
        kept.append(name)
        if len(kept) == 3:
            raise OSError("No space left on device")

    output = WatchedOutput(tmp_path / "r.csv", full)
    client = ScriptedClient(tuning=SHORT_PARTS)
    with pytest.raises(OSError, match="No space left"):
        fetch_ratings(client, WINDOW, output)
    fetch_ratings(client, WINDOW, output)
    assert client.begun_at == [0, 4]
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)
    assert names(tmp_path) == [MANIFEST, "r.csv"]


def test_a_full_disk_names_the_output(tmp_path):
    with largest_file(1_000), pytest.raises(OSError, match=r"File too large: '.*r\.csv'") as caught:
        fetch(ScriptedClient(tuning=SHORT_PARTS), tmp_path / "r.csv")
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "r.csv"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("replace_by", ["nothing", "link", "file"])
def test_a_folder_that_is_removed_meanwhile_names_the_output_and_what_replaces_it_stays(tmp_path, replace_by):
    folder, victim = tmp_path / "out", tmp_path / "victim"
    for each in (folder, victim):
        each.mkdir()
    (victim / "0badcafe-0.arrow").write_text("somebody's")

    def remove(_):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
            if replace_by == "link":
                folder.symlink_to(victim)
            elif replace_by == "file":
                folder.write_text("somebody's")

    with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
        fetch_ratings(ScriptedClient(tuning=SHORT_PARTS), WINDOW, WatchedOutput(folder / "r.csv", remove))
    assert caught.value.filename == str(folder / "r.csv")
    assert names(victim) == ["0badcafe-0.arrow"]
    assert replace_by != "file" or folder.read_text() == "somebody's"


def test_a_fetch_to_a_file_system_without_locks_works_but_does_not_resume(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError("Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_locks)  # no file system here lacks locks
    fetch(ScriptedClient(tuning=SHORT_PARTS), tmp_path / "r.csv")
    assert pl.read_csv(tmp_path / "r.csv", schema=RATINGS.polars_schema()).equals(FRAME)
    assert MANIFEST in names(tmp_path)


@pytest.mark.parametrize("tuning", [SHORT_PARTS, ONE_PART], ids=["short parts", "one part"])
@pytest.mark.parametrize("fail_at", [None, 7])
def test_quarantined_rows_are_written_beside_the_data_and_survive_a_resume(tmp_path, tuning, fail_at, caplog):
    client = ScriptedClient(fail_at, FatalError("revoked"), (0, 3, 9), tuning)
    if fail_at:
        with pytest.raises(FatalError):
            fetch(client, tmp_path / "r.csv", on_bad_rows="quarantine")
        client.fail_at = None
    manifest = fetch(client, tmp_path / "r.csv", on_bad_rows="quarantine")
    quarantine = tmp_path / "r.csv.quarantine.ndjson"
    lines = [json.loads(line) for line in quarantine.read_text().splitlines()]
    assert [line["url"] for line in lines] == ["http://api?0", "http://api?3", "http://api?9"]
    assert lines[0] == {
        "url": "http://api?0", "number": 7, "column": "rating", "problem": "found 9.0", "row": {"rating": 9.0}
    }  # fmt: skip
    assert (manifest.rows, manifest.quarantined, manifest.quarantine_path) == (1000, 3, str(quarantine))
    assert "3 rows break the contract" in caplog.text

    assert fetch(ScriptedClient(), tmp_path / "r.csv", on_bad_rows="quarantine").quarantine_path is None
    assert names(tmp_path) == [MANIFEST, "r.csv"]


def test_a_quarantined_row_may_hold_values_that_json_cannot():
    part = Part()
    part.bad = [BadRow("u", 0, "rating", "p", {"rating": float("nan")}), BadRow("u", 1, "", "p", (1, b"x"))]
    assert [json.loads(line)["row"] for line in part.bad_lines().splitlines()] == ["{'rating': nan}", "(1, b'x')"]


def test_bad_rows_fail_by_default(tmp_path):
    rows = ratings(40)
    rows[7] = rating(7) | {"rating": 9}
    with (
        serve(lambda _, query, __: page_of(rows, query)) as server,
        MovielensClient(server.base_url, retries=0) as client,
    ):
        with pytest.raises(DataError, match="rating"):
            fetch(client, tmp_path / "r.csv")
    assert names(tmp_path) == []


@pytest.mark.parametrize("value", ["ignore", None, ["fail"]])
def test_on_bad_rows_is_one_of_two_values(tmp_path, value):
    with pytest.raises(FatalError, match=r"on_bad_rows is .*: give 'fail' or 'quarantine'"):
        fetch(ScriptedClient(), tmp_path / "r.csv", on_bad_rows=value)
    # Before anything is read, and before the first batch is requested.
    with (
        MovielensClient("http://localhost:1", retries=0) as client,
        pytest.raises(FatalError, match=r"on_bad_rows is .*: give 'fail' or 'quarantine'"),
    ):
        client.read_batches(on_bad_rows=value)


def test_an_unknown_ending_is_refused():
    with pytest.raises(ValueError, match="cannot tell the file format"):
        LocalOutput("ratings.txt")


def test_a_folder_that_another_process_has_locked_does_not_stop_a_fetch(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fetch_ratings(ScriptedClient(), WINDOW, LocalOutput(tmp_path / "r.csv", max_wait=0.1))
    finally:
        os.close(descriptor)
    assert names(tmp_path) == [MANIFEST, "r.csv"]


def test_a_process_that_was_stopped_does_not_put_its_manifest_beside_the_file_of_another_one(tmp_path, caplog):
    output = tmp_path / "r.csv"

    def stopped(frame):
        if frame.f_locals["path"].name == "manifest.json":
            for path, text in ((output, "theirs"), (tmp_path / MANIFEST, "of theirs")):
                (tmp_path / "new").write_text(text)
                (tmp_path / "new").replace(path)

    with when_called(write_whole, stopped):
        fetch(ScriptedClient(), output)
    assert (output.read_text(), (tmp_path / MANIFEST).read_text()) == ("theirs", "of theirs")
    assert "Another process has replaced" in caplog.text
    assert names(tmp_path) == [MANIFEST, "r.csv"]


def test_a_folder_is_refused_before_anything_is_fetched(tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(ValueError, match=r"r\.csv is a folder: give the path of a file"):
        LocalOutput(tmp_path / "r.csv")


def test_a_tilde_is_a_home_or_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fetch(ScriptedClient(), "~/home.csv")
    fetch(ScriptedClient(), "~nobody-of-that-name.csv")
    assert [name for name in names(tmp_path) if name[0] != "."] == ["home.csv", "~nobody-of-that-name.csv"]


def test_fetched_rows_leave_no_files(tmp_path, temporary_folder):
    with fetched_rows(ScriptedClient(tuning=SHORT_PARTS), WINDOW) as rows:
        assert names(tmp_path) != []
        assert rows.collect().equals(FRAME)
    assert names(tmp_path) == []


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(tmp_path, temporary_folder):
    code = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[1];"
        "from airflow_movielens.client.fetch.workdirs import scratch_folder;"
        "scratch = scratch_folder(); (scratch.__enter__() / 'part').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(names(tmp_path)) == 1
    (tmp_path / "airflow-movielens-mine").mkdir()
    with scratch_folder() as living, scratch_folder() as other:
        assert names(tmp_path) == sorted(["airflow-movielens-mine", living.name, other.name])
    assert names(tmp_path) == ["airflow-movielens-mine"]


def test_a_temporary_folder_is_not_removed_while_another_process_makes_its_own(monkeypatch, tmp_path, temporary_folder):
    def lock_late(path, *, create=False):
        if create and not made:
            made.append(path)
            path.touch()
            with scratch_folder():
                pass
        return try_lock(path, create=create)

    made = []
    monkeypatch.setattr("airflow_movielens.client.fetch.workdirs.try_lock", lock_late)
    with scratch_folder() as folder:
        assert made
        assert folder.is_dir()
        with scratch_folder():
            assert folder.is_dir()
    assert names(tmp_path) == []


def test_progress_counts_rows_pages_and_resumed_rows(tmp_path):
    reports = []
    client = ScriptedClient(7, FatalError("revoked"), tuning=SHORT_PARTS)
    with pytest.raises(FatalError):
        fetch(client, tmp_path / "r.csv", progress=reports.append)
    assert [(report.rows, report.total, report.pages) for report in reports[:2]] == [(100, 1000, 1), (200, 1000, 2)]
    client.fail_at = None
    reports.clear()
    fetch(client, tmp_path / "r.csv", progress=reports.append)
    assert reports[-1].rows == 1000
    assert reports[0].resumed_rows == reports[0].rows > 0
    assert reports[1].resumed_rows == reports[1].rows - 100


def test_rate_and_time_left():
    progress = Progress(rows=3000, total=5000, pages=3, seconds=2.0, resumed_rows=1000)
    assert (progress.rate, progress.eta) == (1000.0, 2.0)
    assert str(progress) == "3,000 of 5,000 (60 %) ratings, 1,000 a second, 2 s left"
    assert str(Progress(3000, None, 3, 2.0)) == "3,000 ratings, 1,500 a second"
    assert Progress(0, 10, 0, 0.0).eta is None
    assert str(Progress(0, 0, 1, 1.0)) == "0 ratings, 0 a second"


def test_progress_is_logged_every_few_seconds(caplog):
    caplog.set_level("INFO")
    log = LogProgress(logging.getLogger("fetch"), every=5.0)
    for second in range(12):
        log(Progress(second * 100, 1200, second, float(second)))
    assert [re.match(r"[\d,]+", record.message)[0] for record in caplog.records] == ["500", "1,000"]


def test_the_process_may_end_while_a_part_is_written():
    code = (
        "import threading; from airflow_movielens.client.concurrency import Background;"
        "Background().start(threading.Event().wait)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_ctrl_c_ends_the_wait_for_a_part_that_is_written():
    code = (
        "import os, signal, threading; import polars;"  # which puts a handler of its own before Python's
        "from airflow_movielens.client.concurrency import Background;"
        "background = Background(); background.start(threading.Event().wait);"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start(); background.wait()"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, stderr=subprocess.PIPE)
    assert b"KeyboardInterrupt" in ended.stderr


def test_the_main_thread_can_be_stopped_while_the_file_is_written(tmp_path):
    never = threading.Event()

    def write(_):
        assert threading.current_thread() is not threading.main_thread()
        os.kill(os.getpid(), signal.SIGTERM)
        never.wait()

    def stop(*_):
        raise SystemExit("asked to stop")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        # A real file is written too fast for a signal to arrive meanwhile.
        with when_called(write_rows, write), pytest.raises(SystemExit, match="asked to stop"):
            fetch(ScriptedClient(), tmp_path / "r.csv")
    finally:
        signal.signal(signal.SIGTERM, before)
        never.set()
    assert names(tmp_path) == []
