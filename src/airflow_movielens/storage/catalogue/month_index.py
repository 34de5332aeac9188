"""The index of a kind and month: its records in one file, complete without locks."""

from __future__ import annotations

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from time import time_ns
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.storage.catalogue.folder import ENDING, THREADS
from airflow_movielens.storage.catalogue.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_movielens.storage.catalogue.folder import CatalogueFolder
    from airflow_movielens.storage.catalogue.records import Kind

LAYOUT = 1
"""Incremented when the files of a catalogue change: an index of another layout is not read."""

KEPT = 20
"""How many records of a path a month keeps: the last ones."""

_Entries = dict[str, Record | None]
"""The records of a month by the names of their entries; None for a damaged entry."""


class MonthIndex:
    """The records of a kind and month.

    Each record is an entry, a file of its own that never changes. The index has all of them in one file. Whoever adds
    an entry brings the index up to date, and lists the entries once more afterwards; so the last writer leaves a
    complete index, even if others replaced it meanwhile with one that lacks their entries.

    Args:
        folder: The folder of the catalogue.
        kind: The kind.
        month: The month, such as ``2015-03``.

    Attributes:
        name: The name of its file in the folder.
    """

    def __init__(self, folder: CatalogueFolder, kind: Kind, month: str) -> None:
        self._folder = folder
        self._entries = f"{kind}/{month}"
        self.name = f"{kind}/{month}{ENDING}"

    def add(self, records: Iterable[Record]) -> None:
        """Add records of this kind and month, and a copy of each for the run of its task."""
        self._write_entries(records)
        self.complete()

    def replace(self, old: Collection[str], records: Iterable[Record]) -> None:
        """Add records in place of the entries ``old``.

        Records that a task has added meanwhile stay; one that is also among ``records`` is not added twice. The copies
        of the old entries for runs stay.

        Raises:
            PermissionError: Deletions are not permitted.
        """
        added_meanwhile = [name for name in self._folder.names(self._entries) if name not in old]
        kept = self._with_missing(added_meanwhile, None).values()
        known = {(record.path, record.at) for record in kept if record is not None}
        self._write_entries(record for record in records if (record.path, record.at) not in known)
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self._folder.remove, [f"{self._entries}/{name}" for name in old]))
        self.complete()

    def complete(self) -> None:
        """Bring the index up to date with the entries, and remove entries beyond `KEPT`."""
        names = self._folder.names(self._entries)
        is_complete = False
        while not is_complete:
            indexed = self._indexed()
            entries = self._with_missing(names, indexed)
            kept = _last_of_each_path(entries)
            if not kept:
                self._folder.remove(self.name)
            elif kept != indexed:
                self._folder.write(self.name, _to_json(kept))
            # Without the permission to delete, old entries stay, outside the index.
            with suppress(PermissionError):
                for name in entries.keys() - kept.keys():
                    self._remove(name, entries[name])
            seen, names = set(names), self._folder.names(self._entries)
            is_complete = kept.keys() <= set(names) <= seen

    def records_in(self, content: bytes | None, facts: Collection[str] | None = None) -> tuple[list[Record], list[str]]:
        """Return the records, and what is damaged, as sentences.

        Args:
            content: The content of its file; None if there is none.
            facts: The names of the facts that the records keep; None for all.
        """
        if content is None:
            return [], []
        try:
            entries = _from_json(content, facts)
        except ValueError as error:
            return [], [f"{self._folder.address}/{self.name} is damaged, so its records are missing: {error}."]
        damaged = [name for name, record in entries.items() if record is None]
        address = f"{self._folder.address}/{self._entries}"
        problems = [f"{address}/{name} is damaged, so a record is missing." for name in damaged]
        return [record for record in entries.values() if record is not None], problems

    def _indexed(self) -> _Entries | None:
        """Return the entries of the index; None if there is none that can be read."""
        content = self._folder.read(self.name)
        try:
            return None if content is None else _from_json(content)
        except ValueError:
            return None

    def _with_missing(self, names: list[str], indexed: _Entries | None) -> _Entries:
        """Return the entries of these names, from the index or else from their files, except removed ones."""
        known = {name: record for name, record in (indexed or {}).items() if record is not None}
        missing = [name for name in names if name not in known]
        contents = self._folder.read_all([f"{self._entries}/{name}" for name in missing])
        found = {name: content for name, content in zip(missing, contents, strict=True) if content is not None}
        records = known | {name: _record(content) for name, content in found.items()}
        return {name: records[name] for name in names if name in records}

    def _write_entries(self, records: Iterable[Record]) -> None:
        contents: dict[str, bytes] = {}
        for record in records:
            name = _new_name(record)
            contents[f"{self._entries}/{name}"] = record.to_json()
            if record.task is not None:
                contents[f"{folder_of_run(record.task.dag_id, record.task.run_id)}/{name}"] = record.to_json()
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self._folder.write, contents.keys(), contents.values()))

    def _remove(self, name: str, record: Record | None) -> None:
        if record is not None and record.task is not None:
            self._folder.remove(f"{folder_of_run(record.task.dag_id, record.task.run_id)}/{name}")
        self._folder.remove(f"{self._entries}/{name}")


def folder_of_run(dag_id: str, run_id: str) -> str:
    """Return the folder with copies of the records of a Dag run, whose names may have any characters."""
    return f"runs/{sha256(json.dumps([dag_id, run_id]).encode()).hexdigest()[:32]}"


def _new_name(record: Record) -> str:
    """Return a name that no other entry has; sorted names are in the order of time, and of writing in a second."""
    second = record.at.replace("-", "").replace(":", "")
    return f"{second}-{time_ns():016x}{uuid4().hex[:8]}{ENDING}"


def _last_of_each_path(entries: _Entries) -> _Entries:
    """Return the damaged entries, and the last `KEPT` ones of each path."""
    names_of = defaultdict(list)
    for name in sorted(entries):
        record = entries[name]
        names_of[None if record is None else record.path].append(name)
    kept = {name for path, names in names_of.items() for name in (names if path is None else names[-KEPT:])}
    return {name: entries[name] for name in sorted(kept)}


def _record(content: bytes) -> Record | None:
    try:
        return _record_of(parse_json(content))
    except ValueError:
        return None


def _record_of(values: Any, facts: Collection[str] | None = None) -> Record | None:
    """Return a record; None if it is damaged, so that it does not hide the others."""
    try:
        return None if values is None else Record.from_dict(values, facts)
    except ValueError:
        return None


def _to_json(entries: _Entries) -> bytes:
    values = {name: None if record is None else record.to_dict() for name, record in entries.items()}
    return json.dumps({"layout": LAYOUT, "entries": values}).encode() + b"\n"


def _from_json(content: bytes, facts: Collection[str] | None = None) -> _Entries:
    """Read the result of `_to_json`, with all facts or only these.

    Raises:
        ValueError: It is damaged, or of another layout.
    """
    index = parse_json(content)
    layout = index.get("layout") if isinstance(index, dict) else None
    if layout != LAYOUT:
        raise ValueError(f"its layout is {layout!r}, but this version reads {LAYOUT}")
    entries = index.get("entries")
    if not isinstance(entries, dict):
        raise ValueError("it has no entries")
    return {name: _record_of(values, facts) for name, values in entries.items()}
