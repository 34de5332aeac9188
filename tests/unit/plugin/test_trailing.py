"""A day compared to the days before it."""

from __future__ import annotations

import pytest
from unit.plugin.partition_records import DAY, dataset, day_after, failed_fetch, fetch, words

from airflow_movielens.plugin.partitions.histogram import bars
from airflow_movielens.plugin.partitions.trailing import compare

THREES = [0, 0, 0, 0, 0, 10, 0, 0, 0, 0]
MIXED = [0, 0, 0, 0, 0, 5, 0, 0, 0, 5]


def before(days, rows=100, **facts):
    return [fetch(day_after(DAY, -number), rows=rows, **facts) for number in range(1, days + 1)]


def test_only_the_30_days_before_count():
    found = dataset(fetch(rows=1), *before(30), *(fetch(day_after(DAY, -number), rows=900) for number in range(31, 60)))
    trailing = compare(found.partitions, DAY)
    assert (trailing.days, trailing.median) == (30, 100)


def test_days_without_a_file_do_not_count():
    found = dataset(fetch(), *before(3), failed_fetch(day_after(DAY, -4)))
    assert compare(found.partitions, DAY).days == 3


@pytest.mark.parametrize(
    ("rows", "expected"), [(49, ["unusual"]), (50, []), (200, []), (201, ["unusual"]), (0, ["empty"])]
)
def test_unusual_number_of_ratings(rows, expected):
    assert words(dataset(fetch(rows=rows), *before(7))) == expected


def test_few_days_say_nothing_about_what_is_usual():
    assert words(dataset(fetch(rows=900), *before(6))) == []


def test_shares_and_means():
    found = dataset(fetch(histogram=MIXED), *before(2, histogram=THREES))
    trailing = compare(found.partitions, DAY)
    assert (trailing.mean, trailing.mean_before) == (4.0, 3.0)
    assert trailing.shares == [0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0.5]
    assert trailing.shares_before == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_manifests_without_a_histogram():
    trailing = compare(dataset(fetch(histogram=MIXED), *before(2)).partitions, DAY)
    assert (trailing.before, trailing.mean_before) == (None, None)
    assert compare(dataset(fetch()).partitions, DAY).counts is None


def test_bars_stand_on_one_line_and_the_highest_reaches_the_top():
    found = dataset(fetch(histogram=MIXED), *before(2, histogram=THREES))
    chart = bars(compare(found.partitions, DAY))
    assert [bar.stars for bar in chart] == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    three, none = chart[5], chart[0]
    assert three.before_top < three.top < none.top == none.base
    assert three.base - three.before_top == pytest.approx(2 * (three.base - three.top))


@pytest.mark.parametrize("record", [fetch(), fetch(histogram=[0] * 10, rows=0)], ids=["unknown", "empty"])
def test_no_bars_without_ratings(record):
    assert bars(compare(dataset(record).partitions, DAY)) == []
