"""The reports of `dags/06_partitioned.py`: days to fetch again, their windows, and the files of a window."""

from __future__ import annotations

import logging
import runpy
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem

DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "06_partitioned.py"
FIRST = date(2000, 2, 15)
FETCHED = {FIRST + timedelta(days=number) for number in range(60)} - {date(2000, 3, 1)}


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    """Run the Dag file, with a folder in which some days have been fetched."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("data")
        patch.setenv("MOVIELENS_DATA_DIR", str(folder))
        ratings = folder / "06_partitioned" / "ratings"
        ratings.mkdir(parents=True)
        for day in FETCHED:
            (ratings / f"{day}.parquet").touch()
        yield runpy.run_path(str(DAG_FILE))


@pytest.mark.parametrize(
    ("day", "last"),
    [
        ("2000-02-15", date(2000, 3, 16)),
        ("2000-03-20", date(2000, 4, 14)),  # the last fetched day
        ("2000-04-14", date(2000, 4, 14)),
        ("2000-02-01", date(2000, 3, 2)),  # a day before all others, fetched late
    ],
)
def test_a_day_changes_the_windows_that_end_with_it_and_with_the_30_days_after_it(dags, day, last):
    first = date.fromisoformat(day)
    assert dags["windows_with"]([day]) == sorted(each for each in FETCHED if first <= each <= last)


def test_each_window_of_many_days_is_checked_once(monkeypatch):
    from airflow.sdk.io import attach

    asked = []

    class Complete(MemoryFileSystem):
        def exists(self, path, **options):
            asked.append(date.fromisoformat(Path(path).stem))
            return True

    attach(protocol="gs", conn_id="complete", fs=Complete())
    monkeypatch.setenv("MOVIELENS_DATA_DIR", "gs://complete@bucket")
    windows = runpy.run_path(str(DAG_FILE))["windows_with"]([f"2000-03-{number:02}" for number in range(1, 31)])
    assert windows == [date(2000, 3, 1) + timedelta(days=number) for number in range(60)]
    assert sorted(asked) == windows


def test_a_window_is_made_of_the_days_that_were_fetched_and_names_the_others(dags, caplog):
    with caplog.at_level(logging.WARNING):
        files = dags["files_of_window"]("2000-03-05")
    days = [date(2000, 3, 5) - timedelta(days=number) for number in reversed(range(30))]
    assert [Path(file).stem for file in files] == [str(day) for day in days if day in FETCHED]
    assert "11 of 30 days were never fetched: 2000-02-05, " in caplog.text
    assert caplog.text.rstrip().endswith("2000-02-14, 2000-03-01")


def test_the_window_one_day_earlier_begins_and_ends_one_day_earlier(dags):
    names = [Path(file).stem for file in dags["files_of_window"]("2000-04-10", 1)]
    assert (names[0], names[-1], len(names)) == ("2000-03-11", "2000-04-09", 30)


def test_a_complete_window_logs_nothing(dags, caplog):
    files = dags["files_of_window"]("2000-03-31")
    assert Path(files[0]).stem == "2000-03-02"
    assert (len(files), caplog.text) == (30, "")


NOW = datetime.now(UTC)
YESTERDAY, TODAY, TOMORROW = (str(NOW.date() + timedelta(days=number)) for number in (-1, 0, 1))


class Run:
    """The context of a reporting task: events, runs of Dags and stored state; and its reports."""

    def __init__(self, *events, running=(), queued=(), made=NOW, kept=None):
        self.running, self.queued, self.kept = set(running), set(queued), {} if kept is None else {"days": kept}
        self.reported = defaultdict(list)
        self.context = {
            "ti": SimpleNamespace(get_dr_count=lambda dag_id, states: int(dag_id in getattr(self, *states))),
            "dag_run": SimpleNamespace(dag_id="06_windows", run_after=made),
            "triggering_asset_events": Events(events),
            "asset_state_store": SimpleNamespace(get=self.kept.get, set=self.kept.__setitem__),
            "outlet_events": Outlets(self.reported),
        }

    def poke(self, task):
        return task.function(**{name: self.context[name] for name in signature(task.function).parameters})


class Events(list):
    """The events of one asset."""

    def values(self):
        return [list(self)]

    def __getitem__(self, asset):
        return list(self)


class Outlets:
    """The partitions reported for each asset."""

    def __init__(self, partitions):
        self.reported = partitions

    def __getitem__(self, asset):
        return SimpleNamespace(add_partitions=self.reported[asset.name].extend)


def change(*days, other_days=False):
    return SimpleNamespace(extra={"payload": {"days": list(days), "other_days": other_days, "total": 7}})


def fetched(day):
    return SimpleNamespace(partition_key=day)


@pytest.mark.airflow("3.3")
def test_past_days_are_reported_once_each(dags, caplog):
    run = Run(change(YESTERDAY, TODAY), change("2000-03-02", YESTERDAY, TOMORROW, other_days=True))
    assert run.poke(dags["report_days"])
    assert run.reported == {"movielens_changed_days": ["2000-03-02", YESTERDAY]}
    assert "backfill 06_ratings" in caplog.text


@pytest.mark.airflow("3.3")
@pytest.mark.parametrize(
    "events",
    [[], [change(TODAY)], [change(other_days=True)], [SimpleNamespace(extra={"from_rest_api": True})]],
    ids=["none", "today", "others", "made by hand"],
)
def test_nothing_is_reported_if_no_past_day_has_changed(dags, events):
    from airflow.sdk.exceptions import AirflowSkipException

    run = Run(*events)
    with pytest.raises(AirflowSkipException):
        run.poke(dags["report_days"])
    assert not run.reported


@pytest.mark.airflow("3.3")
@pytest.mark.parametrize("fetching", ["06_ratings", "06_late"])
def test_days_and_windows_are_reported_when_no_fetch_is_in_progress_or_one_hangs(dags, fetching):
    for task, event in (("report_days", change(YESTERDAY)), ("report_windows", fetched("2000-03-02"))):
        run = Run(event, running={fetching})
        assert not run.poke(dags[task])
        assert not run.reported
        run.running.clear()
        assert run.poke(dags[task])
        assert run.reported
        hanging = Run(event, running={fetching}, made=NOW - timedelta(minutes=61))
        assert hanging.poke(dags[task])
        assert hanging.reported


@pytest.mark.airflow("3.3")
def test_the_last_waiting_run_reports_the_windows_of_all_days_and_clears_only_these(dags):
    from airflow.sdk.exceptions import AirflowSkipException

    kept = ["2000-04-13"]
    first = Run(fetched("2000-04-14"), queued={"06_windows"}, running={"06_late"}, kept=kept)
    with pytest.raises(AirflowSkipException):
        first.poke(dags["report_windows"])
    assert not first.reported
    last = Run(fetched("2000-04-12"), fetched("2000-04-12"), kept=first.kept["days"])
    result = last.poke(dags["report_windows"])
    assert last.reported == {"movielens_due_windows": ["2000-04-12", "2000-04-13", "2000-04-14"]}
    assert last.kept == {"days": ["2000-04-12", "2000-04-13", "2000-04-14"]}
    store = last.context["asset_state_store"]
    store.set("days", [*last.kept["days"], "2000-05-01"])
    dags["forget_days"].function(result.xcom_value, asset_state_store=store)
    assert last.kept == {"days": ["2000-05-01"]}
