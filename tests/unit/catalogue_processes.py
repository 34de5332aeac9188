"""Processes that add records to a catalogue at once."""

from __future__ import annotations

from airflow_movielens.storage.catalogue import Catalogue, Record, TaskRun


def record_of(number=0, kind="fetch", at="2026-11-29T02:00:00Z", path=None, **facts):
    """Return a record of the fetch of a day in March 2015, or of another kind."""
    day = f"2015-03-{number % 31 + 1:02}"
    task = TaskRun("movielens", f"scheduled__{day}", "fetch", -1, 1)
    path = path or f"/data/{day}-{number}.parquet"
    return Record(kind, at, path, succeeded=True, error=None, task=task, facts={"start_date": day, **facts})


def add_records(root, first, count, barrier):
    catalogue = Catalogue(root)
    barrier.wait()
    for number in range(first, first + count):
        catalogue.add(record_of(number))
