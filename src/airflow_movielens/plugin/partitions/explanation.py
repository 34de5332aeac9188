"""What the statuses of a day mean for that day, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.status import Status, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from airflow_movielens.plugin.partitions.dataset import Dataset
    from airflow_movielens.plugin.partitions.fetch import Fetch
    from airflow_movielens.plugin.partitions.partition import Partition


def explain(dataset: Dataset, day: date) -> list[str]:
    """Return a sentence for each status of a known day, the most severe first."""
    partition, files = dataset.partitions.get(day), dataset.files_with(day)
    outdated = dataset.outdated_of(day)
    were_made = f"{counted(len(outdated), 'ranking')} {'was' if len(outdated) == 1 else 'were'} made"
    file = "The file of an earlier fetch is still there." if files else "There is no file with this day."
    sentences = {
        Status.FAILED: f"The last fetch failed. {file}",
        Status.MISSING: "No fetch of this day is known.",
        Status.OUTDATED: f"{were_made} before the ratings changed, and not again since.",
        Status.DOUBLE: f"{len(files)} files have this day: a ranking of all of them counts ratings twice.",
        Status.UNUSUAL: dataset.unusual.get(day, ""),
        Status.EMPTY: "The API had no ratings of this day. The file has columns and no rows.",
    }
    if partition is not None:
        sentences |= _of_fetches(partition)
    return [sentences[status] for status in dataset.statuses[day]]


def _of_fetches(partition: Partition) -> dict[Status, str]:
    rows = counted(partition.quarantined, "row")
    sentences = {Status.QUARANTINED: f"{rows} broke the contract of the API. The file does not have them."}
    if partition.overwritten_by is not None:
        window = partition.overwritten_by.window
        sentences[Status.MISSING] = (
            f"The fetch of {window} has overwritten the file of this day: give each day a path of its own."
        )
    if partition.contents:
        sentences[Status.LATE] = f"The ratings changed after they were ranked: {_last_change(partition.contents)}."
    return sentences


def _last_change(contents: Sequence[Fetch]) -> str:
    numbers = [counted(fetch.rows, "rating") for fetch in contents]
    if len(numbers) == 1:
        return f"{numbers[0]} arrived at {contents[0].time}"
    return f"from {numbers[-2]} to {numbers[-1]} at {contents[-1].time}"
