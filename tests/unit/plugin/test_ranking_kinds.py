"""Which files of a catalogue are rankings of the same kind, and which days they are compared with."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from airflow_movielens.plugin.ranking_kinds import ranking_address, ranking_kinds
from airflow_movielens.storage.catalogue import Record


def record(path, last, *, days=1, method="bayesian", at="2015-04-01T00:00:00Z", succeeded=True):
    end = date.fromisoformat(last) + timedelta(days=1)
    facts = {"method": method, "start_date": str(end - timedelta(days=days)), "end_date": str(end)}
    return Record("ranking", at, path, succeeded, None if succeeded else "it failed", None, facts)


def kinds(*records, root="/data"):
    return {(kind.name, kind.method): [str(day) for day in kind.rankings] for kind in ranking_kinds(records, root)}


def test_a_kind_is_a_path_and_a_method():
    assert kinds(
        record("/data/rankings/bayesian/2015-03-02.csv", "2015-03-02"),
        record("/data/rankings/bayesian/2015-03-01.csv", "2015-03-01"),
        record("/data/rankings/trending/2015-03-01.csv", "2015-03-01", method="trending"),
        record("/data/trailing/bayesian/2015-03-01.csv", "2015-03-01", days=30),
    ) == {
        ("rankings/{method}/{day}.csv", "bayesian"): ["2015-03-01", "2015-03-02"],
        ("rankings/{method}/{day}.csv", "trending"): ["2015-03-01"],
        ("trailing/{method}/{day}.csv", "bayesian"): ["2015-03-01"],
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/ds=2015-03-01/top.parquet", "ds={day}/top.parquet"),
        ("/data/2015/03/01/top.json", "{day}/top.json"),
        ("/data/20150301-30d.csv", "{day}-30d.csv"),
        ("/data/bayesian_2015_03_01.csv", "{method}_{day}.csv"),
        ("/data/manual__2015-03-01T12:30:00.5+00:00.csv", "manual__{day}.csv"),
        ("/data/bayesians.csv", "bayesians.csv"),
        ("/elsewhere/top.csv", "/elsewhere/top.csv"),
    ],
)
def test_dates_in_a_path_are_its_day(path, name):
    assert kinds(record(path, "2015-03-01")) == {(name, "bayesian"): ["2015-03-01"]}


def test_names_on_object_storage_are_below_the_root_too():
    found = kinds(record("s3://aws@bucket/data/top.csv", "2015-03-01"), root="s3://aws@bucket/data/")
    assert found == {("top.csv", "bayesian"): ["2015-03-01"]}


def test_only_the_last_record_of_a_file_counts():
    replaced = [record("/data/latest.csv", f"2015-03-0{day}", at=f"2015-03-0{day}T23:00:00Z") for day in (1, 2)]
    failed = record("/data/latest.csv", "2015-03-03", succeeded=False)
    assert kinds(*replaced, failed) == {("latest.csv", "bayesian"): ["2015-03-02"]}


def test_a_ranking_of_no_days_is_of_no_kind():
    facts = {"method": "mean", "start_date": None, "end_date": None}
    assert kinds(replace(record("/data/a.csv", "2015-03-01"), facts=facts)) == {}


def test_the_window_is_the_usual_length():
    growing = [record(f"/data/2015-03-0{day}.csv", f"2015-03-0{day}", days=min(day, 3)) for day in range(1, 7)]
    (kind,) = ranking_kinds(growing, "/data")
    assert kind.window == 3
    assert kind.last_day == date(2015, 3, 6)


@pytest.mark.parametrize(
    ("days", "earlier"),
    [
        (["03-01", "03-08"], "03-01"),
        (["02-27", "03-02", "03-08"], "02-27"),
        (["02-26", "02-25", "03-02", "03-08"], "02-26"),
        (["02-25", "03-02", "03-08"], None),
        (["03-08", "03-09"], None),
    ],
)
def test_a_ranking_is_compared_with_the_nearest_one_a_week_earlier(days, earlier):
    (kind,) = ranking_kinds([record(f"/data/2015-{day}.csv", f"2015-{day}") for day in days], "/data")
    found = kind.earlier(date(2015, 3, 8), 7, 3)
    assert found == (date.fromisoformat(f"2015-{earlier}") if earlier else None)


def test_neighbours_are_the_nearest_days_that_are_ranked():
    (kind,) = ranking_kinds(
        [record(f"/data/2015-03-{day}.csv", f"2015-03-{day}") for day in ("01", "04", "09")], "/data"
    )
    assert (kind.before(date(2015, 3, 4)), kind.after(date(2015, 3, 4))) == (date(2015, 3, 1), date(2015, 3, 9))
    assert (kind.before(date(2015, 3, 1)), kind.after(date(2015, 3, 9))) == (None, None)


def test_a_record_leads_to_its_ranking():
    one = record("/data/trailing/trending/2015-03-01.csv", "2015-03-01", method="trending")
    assert ranking_address(one, "/data") == {
        "ranking": "trailing/{method}/{day}.csv", "method": "trending", "day": "2015-03-01",
    }  # fmt: skip
