"""The lists of days, and how to fix them."""

from __future__ import annotations

from unit.plugin.partition_records import DAY, FOLDER, dataset, day_after, failed_fetch, fetch, ranking

from airflow_movielens.plugin.partitions.backfills import backfill_command, dag_of
from airflow_movielens.plugin.partitions.figures import Span, days_needing_attention, figures, spans, verdict
from airflow_movielens.plugin.partitions.remedies import items

LATER, LAST = "2015-03-20T01:00:00Z", "2015-03-21T01:00:00Z"


def test_dag_that_was_the_first_to_fetch():
    others = [fetch(day_after(DAY, number), dag="usual") for number in (2, 3)]
    found = dataset(fetch(dag="first"), fetch(dag="late", at=LATER), *others)
    assert dag_of(found, DAY) == "first"
    assert dag_of(found, day_after(DAY)) == "usual"


def test_no_dag_is_known():
    assert dag_of(dataset(fetch(dag=None)), DAY) is None


def test_command_quotes_what_a_shell_would_read():
    command = backfill_command("a; b", Span(DAY, day_after(DAY)))
    assert command == (
        "airflow backfill create --dag-id 'a; b' --from-date 2015-03-07 --to-date 2015-03-08 "
        "--reprocess-behavior completed"
    )


def test_consecutive_days_are_a_span():
    days = [day_after(DAY, number) for number in (0, 1, 2, 5, 7)]
    assert [str(span) for span in spans(days)] == ["2015-03-07 to 2015-03-09", "2015-03-12", "2015-03-14"]
    assert spans([]) == []


def test_missing_days_are_fetched_with_one_command():
    found = dataset(fetch(), fetch(day_after(DAY, 4)))
    [item] = items(found, days_needing_attention(found))
    assert (str(item.span), item.text, item.task) == ("2015-03-08 to 2015-03-10", "never fetched", None)
    assert item.command == backfill_command("ratings", item.span)
    assert item.needs_attention


def test_overwritten_day_is_not_one_of_those_never_fetched():
    latest = f"{FOLDER}/latest.parquet"
    found = dataset(fetch(path=latest), fetch(day_after(DAY, 2), at=LATER, path=latest))
    assert [(str(item.span), item.text) for item in items(found, days_needing_attention(found))] == [
        ("2015-03-08", "never fetched"),
        ("2015-03-07", "file overwritten"),
    ]


def test_failed_day_names_its_task_and_error():
    found = dataset(fetch(), failed_fetch(at=LATER))
    [item] = items(found, days_needing_attention(found))
    assert (item.text, item.error, item.command) == ("100 ratings, last fetch failed", "The API is down.", None)
    assert item.task == found.partitions[DAY].last.task


def test_late_day_names_the_task_of_the_ranking():
    found = dataset(fetch(), ranking(), fetch(at=LATER, sha="b"))
    [item] = items(found, days_needing_attention(found))
    assert item.text == "100 ratings, rankings out of date, late"
    assert item.task.dag_id == "rank"


def test_newest_day_comes_first():
    found = dataset(*(failed_fetch(day_after(DAY, number)) for number in range(3)))
    assert [item.span.first.day for item in items(found, found.days)] == [9, 8, 7]


def test_figures_and_verdict():
    found = dataset(
        fetch(),
        failed_fetch(day_after(DAY, 2)),
        fetch(day_after(DAY, 3), rows=0),
        fetch(day_after(DAY, 4), quarantined=1),
    )
    assert {figure.label: figure.days for figure in figures(found)} == {
        "Failed": 1,
        "Missing": 1,
        "To rank again": 0,
        "Late": 0,
        "Unusual": 0,
        "Quarantined": 1,
        "Empty": 1,
    }
    assert verdict(found) == "2 days of 5 need attention."
    assert (
        verdict(dataset(fetch(), fetch(day_after(DAY))))
        == "All 2 days are present, and no ranking of them is out of date."
    )
