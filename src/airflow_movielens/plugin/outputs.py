"""What tasks wrote: each output in one sentence, with the view that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.partitions.fetch import Fetch
from airflow_movielens.plugin.ranking_kinds import ranking_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_movielens.storage.catalogue import Kind, Record

HEADINGS: dict[Kind, str] = {
    "fetch": "Fetched",
    "ranking": "Ranked",
    "training": "Trained",
    "evaluation": "Evaluated",
    "promotion": "Promotion",
    "recommendations": "Recommended",
}


@dataclass(frozen=True)
class Output:
    """Something that a task wrote, or failed to write.

    Attributes:
        record: The record of the catalogue.
        name: What it is, in a few words.
        sentence: What is in it, or why it failed.
        view: The path of the view that shows it.
        query: The query of that view.
    """

    record: Record
    name: str
    sentence: str
    view: str
    query: dict[str, Any]


def output_of(record: Record, root: str) -> Output:
    """Return the output that a record describes.

    Args:
        record: The record.
        root: The data root.
    """
    try:
        return _output_of(record, root)
    except (LookupError, TypeError):  # a fact is missing, or null
        name = record.path.rpartition("/")[2]
        return Output(record, name, "The catalogue does not say what is in it.", "", {})


def _output_of(record: Record, root: str) -> Output:
    match record.kind:
        case "fetch":
            return _fetched(Fetch(record))
        case "ranking":
            return _ranked(record, root)
        case "recommendations":
            return _recommended(record)
        case _:
            return _of_registry(record)


def outputs_by_kind(records: Iterable[Record], root: str) -> dict[str, list[Output]]:
    """Return what tasks wrote, under a heading for each kind, in the order of the pipeline.

    Args:
        records: Records, by time. Of several tries of a task to write a file, the last one counts.
        root: The data root.
    """
    last = {(record.kind, record.path, _instance(record)): record for record in records}
    found = {
        heading: [output_of(record, root) for record in last.values() if record.kind == kind]
        for kind, heading in HEADINGS.items()
    }
    return {heading: outputs for heading, outputs in found.items() if outputs}


def _instance(record: Record) -> tuple[str, int] | None:
    return None if record.task is None else (record.task.task_id, record.task.map_index)


def _fetched(fetch: Fetch) -> Output:
    rows = f"{fetch.rows:,} ratings"
    sentence = f"{rows}, and {fetch.quarantined:,} quarantined" if fetch.quarantined else rows
    view = "partitions/" if fetch.day is None else f"partitions/{fetch.day}"
    return Output(fetch.record, _days(fetch), fetch.error or sentence, view, {"dataset": fetch.folder})


def _days(fetch: Fetch) -> str:
    if fetch.day is not None:
        return str(fetch.day)
    last = None if fetch.end is None else fetch.end - timedelta(days=1)
    return f"{fetch.start or 'first day'} to {last or 'last day'}"


def _ranked(record: Record, root: str) -> Output:
    facts, name = record.facts, record.path.rpartition("/")[2]
    if not record.succeeded:
        return Output(record, name, record.error or "", "rankings/", {})
    sentence = (
        f"{facts['rows']:,} movies by {facts['method']}, from {facts['ratings']:,} ratings of {facts['days']} days"
    )
    return Output(record, name, sentence, "rankings/", ranking_address(record, root))


def _recommended(record: Record) -> Output:
    facts, name = record.facts, record.path.rpartition("/")[2]
    if not record.succeeded:
        return Output(record, name, record.error or "", "recommendations/", {})
    sentence = f"{facts['rows']:,} recommendations to {facts['users']:,} users, by the model {facts['model']}"
    return Output(record, name, sentence, "recommendations/", {})


def _of_registry(record: Record) -> Output:
    facts = record.facts
    query = {"registry": facts.get("registry")}
    name = str(facts.get("version") or facts.get("challenger") or record.path.rpartition("/")[2])
    if not record.succeeded:
        return Output(record, name, record.error or "", "models/", query)
    match record.kind:
        case "training":
            sentence = (
                f"{facts['ratings']:,} ratings of {facts['users']:,} users, {facts['first_day']} to {facts['last_day']}"
            )
        case "evaluation":
            sentence = " ".join(facts["sentences"])
        case _:
            sentence = f"{'Promoted' if facts['is_promoted'] else 'Not promoted'}. {facts['reason']}"
    return Output(record, name, sentence, "models/", query)
