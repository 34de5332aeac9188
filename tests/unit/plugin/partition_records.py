"""Records of fetches and rankings, as short as a test can read them."""

from __future__ import annotations

from datetime import date, timedelta

from airflow_movielens.plugin.partitions.dataset import Dataset, by_folder
from airflow_movielens.ranking.manifest import InputFile, combined_checksum
from airflow_movielens.storage.catalogue import Record, TaskRun

FOLDER = "/data/ratings"
DAY = date(2015, 3, 7)


def day_after(day, days=1):
    return day + timedelta(days=days)


def fetch(
    day=DAY, *, at="2015-03-08T01:00:00Z", sha="a", rows=100, days=1, path=None, error=None, dag="ratings", **facts
):
    """A fetch of a window, failed if there is an error."""
    path = path or f"{FOLDER}/{day}.parquet"
    window = {"start_date": str(day), "end_date": str(day_after(day, days))}
    found = {"rows": rows, "quarantined": 0, "sha256": sha, **facts} if error is None else facts
    task = None if dag is None else TaskRun(dag, f"run of {day}", "fetch_ratings", -1, 1)
    return Record("fetch", at, path, error is None, error, task, {**window, **found})


def failed_fetch(day=DAY, *, at="2015-03-08T02:00:00Z", error="The API is down.", **facts):
    return fetch(day, at=at, error=error, **facts)


def ranking(start=DAY, days=1, *, at="2015-03-08T03:00:00Z", shas=("a",), path=None, folders=(FOLDER,), error=None):
    """A ranking of a window, made from files with these checksums."""
    path = path or f"/data/rankings/{start}.csv"
    checksum = combined_checksum([InputFile("", sha, 0) for sha in shas])
    facts = {
        "start_date": str(start),
        "end_date": str(day_after(start, days)),
        "method": "mean",
        "inputs_sha256": checksum,
        "input_folders": list(folders),
    }
    return Record("ranking", at, path, error is None, error, TaskRun("rank", "run", "rank_movies", -1, 1), facts)


def dataset(*records, folder=FOLDER):
    """The dataset that a catalogue with these records has in a folder."""
    by_time = sorted(records, key=lambda record: record.at)
    fetches = by_folder(record for record in by_time if record.kind == "fetch")
    return Dataset.of(folder, fetches[folder], [record for record in by_time if record.kind == "ranking"])


def words(found, day=DAY):
    """The statuses of a day."""
    return [status.value for status in found.statuses[day]]
