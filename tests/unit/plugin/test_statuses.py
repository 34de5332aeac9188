"""What is wrong with a day."""

from __future__ import annotations

from datetime import date

import pytest
from unit.plugin.partition_records import DAY, FOLDER, dataset, day_after, failed_fetch, fetch, words

from airflow_movielens.plugin.partitions.explanation import explain
from airflow_movielens.plugin.partitions.status import describe

NEXT = day_after(DAY)
LATER = "2015-03-09T01:00:00Z"


def described(found, day=DAY):
    return describe(day, found.partitions.get(day), found.statuses[day])


def test_fetched_day_needs_no_attention():
    found = dataset(fetch(rows=12_345))
    assert words(found) == []
    assert described(found) == "2015-03-07: 12,345 ratings"


def test_day_whose_only_fetch_failed_has_no_file():
    found = dataset(failed_fetch())
    assert words(found) == ["failed"]
    assert described(found) == "2015-03-07: fetch failed, no file"
    assert explain(found, DAY) == ["The last fetch failed. There is no file with this day."]


def test_failure_after_success_leaves_the_file():
    found = dataset(fetch(rows=7), failed_fetch(at=LATER))
    assert words(found) == ["failed"]
    assert described(found) == "2015-03-07: 7 ratings, last fetch failed"
    assert found.partitions[DAY].current.rows == 7


def test_success_after_failure_is_good():
    assert words(dataset(failed_fetch(), fetch(at=LATER))) == []


def test_day_between_known_days_is_missing():
    found = dataset(fetch(), fetch(day_after(DAY, 3)))
    assert found.days == [day_after(DAY, number) for number in range(4)]
    assert [words(found, day) for day in found.days] == [[], ["missing"], ["missing"], []]
    assert described(found, NEXT) == "2015-03-08: never fetched"


def test_day_in_a_file_of_a_longer_window_is_not_missing():
    week = fetch(NEXT, days=2, path=f"{FOLDER}/week.parquet")
    found = dataset(fetch(), week, fetch(day_after(DAY, 4)))
    assert [words(found, day) for day in found.days] == [[], [], [], ["missing"], []]
    assert described(found, NEXT) == "2015-03-08: in a file of a longer window"


def test_failed_longer_window_has_no_day():
    week = failed_fetch(NEXT, days=2, path=f"{FOLDER}/week.parquet")
    found = dataset(fetch(), week, fetch(day_after(DAY, 3)))
    assert words(found, NEXT) == ["missing"]
    assert [each.error for each in found.longer] == ["The API is down."]


def test_empty_day():
    found = dataset(fetch(rows=0))
    assert words(found) == ["empty"]
    assert described(found) == "2015-03-07: 0 ratings"


def test_quarantined_rows_of_the_current_file_count():
    found = dataset(fetch(quarantined=2, rows=5), fetch(NEXT, quarantined=1), fetch(NEXT, at=LATER))
    assert words(found) == ["quarantined"]
    assert words(found, NEXT) == []
    assert described(found) == "2015-03-07: 5 ratings, 2 rows quarantined"


def test_two_files_with_the_same_day():
    found = dataset(fetch(rows=1, path=f"{FOLDER}/a.json"), fetch(rows=2, at=LATER, path=f"{FOLDER}/a.csv"))
    assert words(found) == ["double"]
    assert found.partitions[DAY].rows == 2
    assert [each.path for each in found.partitions[DAY].contents] == [f"{FOLDER}/a.csv"]
    assert explain(found, DAY) == ["2 files have this day: a ranking of all of them counts ratings twice."]


def test_day_and_longer_window_in_one_folder():
    found = dataset(fetch(), fetch(day_after(DAY, -3), days=7, path=f"{FOLDER}/week.parquet"))
    assert words(found) == ["double"]


def test_file_overwritten_by_another_day():
    latest = f"{FOLDER}/latest.parquet"
    found = dataset(fetch(path=latest), fetch(NEXT, at=LATER, path=latest))
    assert words(found) == ["missing"]
    assert words(found, NEXT) == []
    assert described(found) == "2015-03-07: file overwritten"
    assert explain(found, DAY) == [
        "The fetch of 2015-03-08 has overwritten the file of this day: give each day a path of its own."
    ]


def test_file_overwritten_by_a_longer_window_that_has_the_day():
    latest = f"{FOLDER}/latest.parquet"
    found = dataset(fetch(path=latest), fetch(at=LATER, days=2, path=latest))
    assert words(found) == []


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2015-03-01", "2015-03-08", "2015-03-01 to 2015-03-07"),
        (None, "2015-03-08", "until 2015-03-07"),
        ("2015-03-01", None, "from 2015-03-01"),
        (None, None, "all days"),
    ],
)
def test_longer_windows(start, end, text):
    week = fetch(path=f"{FOLDER}/week.parquet")
    week.facts.update(start_date=start, end_date=end)
    found = dataset(week)
    assert found.days == []
    assert [each.window for each in found.longer] == [text]
    assert found.files_with(date(2015, 3, 2)) == found.longer


def test_failure_before_the_window_was_known():
    failed = failed_fetch()
    failed.facts.clear()
    found = dataset(failed)
    assert [(each.window, each.error) for each in found.longer] == [("not known", "The API is down.")]
    assert found.longer_files == []
