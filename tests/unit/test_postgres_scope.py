"""Which rows of a table a load replaces."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from airflow_movielens.client import DataError, Window
from airflow_movielens.postgres.scope import Scope

DAY = 86_400


def scope(*windows):
    return Scope.of_windows([Window.of(start, end) for start, end in windows])


@pytest.mark.parametrize(
    ("windows", "joined"),
    [
        ([("2000-01-02", "2000-01-03"), ("2000-01-01", "2000-01-02")], "[2000-01-01, 2000-01-03)"),
        ([("2000-01-01", "2000-01-09"), ("2000-01-02", "2000-01-03")], "[2000-01-01, 2000-01-09)"),
        ([("2000-01-01", "2000-01-02"), ("2000-01-03", "2000-01-04")], "[2000-01-01, 2000-01-02), [2000-01-03, 2000-01-04)"),
        ([(None, "2000-01-02"), ("2000-01-01", "2000-01-04")], "[…, 2000-01-04)"),
        ([("2000-01-01", None), ("2000-01-05", "2000-01-06")], "[2000-01-01, …)"),
        ([(None, None)], "[…, …)"),
    ],
)  # fmt: skip
def test_windows_that_touch_or_overlap_become_one(windows, joined):
    assert str(scope(*windows)) == joined


def test_a_scope_is_a_condition_of_sql():
    assert scope(("1970-01-02", "1970-01-03")).condition == '(t."timestamp" >= 86400 AND t."timestamp" < 172800)'
    assert scope(("1970-01-02", None)).condition == '(t."timestamp" >= 86400)'
    assert scope((None, None)).condition == "(TRUE)"
    assert Scope(partition=date(2000, 1, 2)).condition == "t.\"partition\" = DATE '2000-01-02'"
    assert Scope().condition == "TRUE"


def test_only_few_days_are_locked_one_by_one():
    assert scope(("2000-01-01", "2000-01-03"), ("2000-01-05", "2000-01-06")).days == [
        date(2000, 1, 1),
        date(2000, 1, 2),
        date(2000, 1, 5),
    ]
    assert Scope(partition=date(2000, 1, 2)).days == [date(2000, 1, 2)]
    assert len(scope(("2000-01-01", "2000-02-01")).days or []) == 31
    for many in (scope(("2000-01-01", "2000-02-02")), scope(("2000-01-01", None)), scope((None, None)), Scope()):
        assert many.days is None


def test_ratings_must_lie_in_a_window():
    gap = scope(("1970-01-02", "1970-01-03"), ("1970-01-04", "1970-01-05"))
    gap.check(pl.DataFrame({"timestamp": [DAY, 2 * DAY - 1, 3 * DAY, 4 * DAY - 1]}))
    for second in (DAY - 1, 2 * DAY, 4 * DAY):
        with pytest.raises(
            DataError, match=rf"\(timestamp {second}\), which lies outside \[1970-01-02, 1970-01-03\), \["
        ):
            gap.check(pl.DataFrame({"timestamp": [DAY, second]}))
    for everything in (scope((None, None)), Scope()):
        everything.check(pl.DataFrame({"timestamp": [0, 10**10]}))
