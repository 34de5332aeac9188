"""Processes that write to a registry: all at once, or without its lock."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from airflow_movielens.ratings.atomic_files import create_whole
from airflow_movielens.recommending.events import event_file, last_number, read_event
from airflow_movielens.recommending.registry import ModelRegistry


def register_and_promote(folder, number, model, barrier):
    registry = ModelRegistry(folder)
    barrier.wait()
    version = registry.register(model, by=f"process {number}", reason="all at once")
    registry.promote(version, by=f"process {number}", reason="all at once", figures={"number": number})


def refuse_without_lock(folder, times):
    """Add events as on a file system without locks."""
    history = ModelRegistry(folder).folder / "history"
    for time in range(times):
        is_added = False
        while not is_added:
            last = read_event(history, last_number(history))
            event = replace(last, number=last.number + 1, action="refuse", by="no lock", reason=str(time))
            with suppress(FileExistsError):
                create_whole(event_file(history, event.number), event.to_json().encode())
                is_added = True
