"""Which days a dataset should have: those from the first to the last one, without long gaps."""

from __future__ import annotations

from datetime import date

import pytest
from unit.plugin.partition_records import DAY, FOLDER, dataset, day_after, fetch, words

from airflow_movielens.plugin.partitions.calendar import years_of
from airflow_movielens.plugin.partitions.figures import figures, verdict
from airflow_movielens.plugin.partitions.periods import gaps_between


def texts(spans):
    return [str(span) for span in spans]


def test_years_between_two_periods_are_not_missing():
    old = [fetch(day_after(date(2000, 11, 15), number)) for number in (0, 2)]
    found = dataset(*old, fetch(date(2026, 11, 28)))
    assert texts(found.periods) == ["2000-11-15 to 2000-11-17", "2026-11-28"]
    assert texts(gaps_between(found.periods)) == ["2000-11-18 to 2026-11-27"]
    assert [words(found, day) for day in found.days] == [[], ["missing"], [], []]
    assert {figure.label: figure.days for figure in figures(found)}["Missing"] == 1
    assert verdict(found) == "1 day of 4 needs attention."
    assert years_of(found) == [2000, 2026]


@pytest.mark.parametrize(("missing", "periods"), [(366, 1), (367, 2)])
def test_only_a_gap_of_more_than_a_year_is_between_periods(missing, periods):
    found = dataset(fetch(), fetch(day_after(DAY, missing + 1)))
    assert len(found.periods) == periods
    assert len(found.days) == (2 + missing if periods == 1 else 2)


def test_longer_windows_fill_gaps_but_add_no_day_before_or_after():
    window = fetch(day_after(DAY, -500), days=1200, path=f"{FOLDER}/years.parquet")
    last = day_after(DAY, 1000)
    found = dataset(fetch(), window, fetch(last))
    assert texts(found.periods) == [f"{DAY} to {last}"]
    assert words(found, day_after(DAY)) == []
    assert words(found, day_after(DAY, 700)) == ["missing"]
    before = fetch(day_after(DAY, -500), days=100, path=f"{FOLDER}/before.parquet")
    assert texts(dataset(fetch(), before).periods) == [str(DAY)]


def test_an_open_window_fills_all_gaps():
    everything = fetch(path=f"{FOLDER}/all.parquet", start_date=None, end_date=None)
    last = day_after(DAY, 1000)
    assert texts(dataset(fetch(), everything, fetch(last)).periods) == [f"{DAY} to {last}"]


def test_without_a_day_there_is_no_period():
    assert dataset(fetch(days=7)).periods == []
