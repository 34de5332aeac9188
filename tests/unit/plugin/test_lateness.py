"""Which days are late, and which rankings are out of date."""

from __future__ import annotations

import pytest
from unit.plugin.partition_records import DAY, dataset, day_after, failed_fetch, fetch, ranking, words

FETCHED, RANKED, AGAIN, RANKED_AGAIN, LAST = (f"2015-03-{day:02}T01:00:00Z" for day in (8, 9, 10, 11, 12))


def outdated(found):
    return [each.path for each in found.lateness.outdated]


def test_day_ranked_after_its_only_fetch():
    found = dataset(fetch(at=FETCHED), ranking(at=RANKED))
    assert words(found) == []
    assert outdated(found) == []


def test_changed_after_it_was_ranked():
    found = dataset(fetch(at=FETCHED), ranking(at=RANKED, path="/r.csv"), fetch(at=AGAIN, sha="b", rows=101))
    assert words(found) == ["outdated", "late"]
    assert outdated(found) == ["/r.csv"]
    assert [each.path for each in found.outdated_of(DAY)] == ["/r.csv"]


def test_late_stays_late_when_it_is_ranked_again():
    found = dataset(fetch(at=FETCHED), ranking(at=RANKED), fetch(at=AGAIN, sha="b"), ranking(at=RANKED_AGAIN, shas="b"))
    assert words(found) == ["late"]
    assert outdated(found) == []


def test_changed_before_it_was_ranked():
    assert words(dataset(fetch(at=FETCHED), fetch(at=AGAIN, sha="b"), ranking(at=RANKED_AGAIN, shas="b"))) == []


def test_fetched_again_with_the_same_content():
    assert words(dataset(fetch(at=FETCHED), ranking(at=RANKED), fetch(at=AGAIN))) == []


def test_failed_fetch_changes_nothing():
    assert words(dataset(fetch(at=FETCHED), ranking(at=RANKED), failed_fetch(at=AGAIN))) == ["failed"]


def test_content_that_changed_and_changed_back():
    found = dataset(fetch(at=FETCHED), ranking(at=RANKED), fetch(at=AGAIN, sha="b"), fetch(at=LAST, sha="a"))
    assert words(found) == ["late"]  # for some time, the ranking was out of date
    assert outdated(found) == []


def test_never_ranked_day_is_not_late():
    assert words(dataset(fetch(at=FETCHED), fetch(at=AGAIN, sha="b"))) == []


def test_failed_ranking_does_not_count():
    failed = ranking(at=RANKED, error="No memory.")
    assert words(dataset(fetch(at=FETCHED), failed, fetch(at=AGAIN, sha="b"))) == []


def test_ranking_of_another_dataset_does_not_count():
    other = ranking(at=RANKED, folders=["/data/others"])
    assert words(dataset(fetch(at=FETCHED), other, fetch(at=AGAIN, sha="b"))) == []


def test_day_that_first_arrived_after_its_window_was_ranked():
    late = day_after(DAY)
    found = dataset(
        fetch(at=FETCHED, sha="a"),
        fetch(day_after(DAY, 2), at=FETCHED, sha="c"),
        ranking(days=3, at=RANKED, shas="ac", path="/r.csv"),
        fetch(late, at=AGAIN, sha="b"),
    )
    assert [words(found, day) for day in found.days] == [[], ["outdated", "late"], []]
    assert outdated(found) == ["/r.csv"]


def test_day_that_arrived_late_stays_late_when_its_window_is_ranked_again():
    found = dataset(
        fetch(at=FETCHED, sha="a"),
        ranking(days=2, at=RANKED, shas="a", path="/r.csv"),
        fetch(day_after(DAY), at=AGAIN, sha="b"),
        ranking(days=2, at=RANKED_AGAIN, shas="ab", path="/r.csv"),
    )
    assert [words(found, day) for day in found.days] == [[], ["late"]]


def test_changed_in_the_second_in_which_it_was_ranked():
    assert words(dataset(fetch(at=FETCHED), fetch(at=AGAIN, sha="b"), ranking(at=AGAIN, shas="b"))) == []


def test_rankings_without_a_checksum():
    """Spark's workers read the files, so the manifest has no checksum: then only the time counts."""
    before, after = ranking(at=RANKED, path="/before.csv"), ranking(at=RANKED_AGAIN, path="/after.csv")
    for record in (before, after):
        record.facts["inputs_sha256"] = None
    found = dataset(fetch(at=FETCHED), before, fetch(at=AGAIN, sha="b"), after)
    assert outdated(found) == ["/before.csv"]


def test_only_rankings_of_the_day_are_out_of_date():
    days = [day_after(DAY, number) for number in range(4)]
    found = dataset(
        *(fetch(day, at=FETCHED, sha=str(day)) for day in days),
        *(ranking(day, days=2, at=RANKED, shas=[str(day), str(day_after(day))]) for day in days[:3]),
        fetch(days[1], at=AGAIN, sha="new"),
    )
    assert outdated(found) == [f"/data/rankings/{day}.csv" for day in days[:2]]
    assert [words(found, day) for day in days] == [[], ["outdated", "late"], [], []]


@pytest.mark.parametrize(("shas", "expected"), [("b", []), ("a", ["outdated", "late"])], ids=["the same", "other"])
def test_catalogue_that_has_only_the_last_fetch(shas, expected):
    """After `movielens catalogue rebuild`, the checksum of the ranking's inputs tells whether the day has changed."""
    assert words(dataset(ranking(at=RANKED, shas=shas), fetch(at=AGAIN, sha="b"))) == expected


def test_replaced_ranking_is_not_out_of_date():
    found = dataset(
        fetch(at=FETCHED),
        ranking(at=RANKED, path="/r.csv"),
        fetch(at=AGAIN, sha="b"),
        ranking(at=RANKED_AGAIN, shas="b", path="/r.csv"),
        ranking(at=RANKED, path="/other.csv"),
    )
    assert words(found) == ["outdated", "late"]
    assert outdated(found) == ["/other.csv"]
