"""The records of a catalogue: what an operator did, when, and which task instance did it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from sys import intern
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_movielens.ratings.paths import local_path, path_text
from airflow_movielens.ratings.task_run import TaskRun
from airflow_movielens.storage.catalogue.facts import wrong_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["KINDS", "Kind", "Record", "TaskRun", "address_of", "facts_of", "month_of", "utc_second"]

Kind = Literal["fetch", "ranking", "training", "evaluation", "promotion", "recommendations"]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Record:
    """What an operator did.

    Attributes:
        kind: What it was.
        at: When it was done, as `utc_second` writes it.
        path: The absolute path or URL of the output file; of a training or promotion, the folder of the registry.
        succeeded: Whether the output is complete.
        error: One sentence if it failed; None otherwise.
        task: The task instance that did it; None if it is not known.
        facts: The manifest or return value, without long lists; what is known if it failed. JSON can hold it.
    """

    kind: Kind
    at: str
    path: str
    succeeded: bool
    error: str | None
    task: TaskRun | None
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the record as values that JSON can hold."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return the content of a file that holds the record alone."""
        return json.dumps(self.to_dict(), indent=2).encode() + b"\n"

    @classmethod
    def from_dict(cls, values: Any, facts: Collection[str] | None = None) -> Record:
        """Read the result of `to_dict`, also after a round trip through JSON.

        Args:
            values: The result of `to_dict`.
            facts: The names of the facts that the record keeps, if it has them; None for all.

        Raises:
            ValueError: The values are not a record.
        """
        try:
            found = values["facts"]
            kept = found if facts is None else {name: found[name] for name in facts if name in found}
            task = None if values["task"] is None else _task(values["task"])
            record = cls(**{**values, "kind": intern(values["kind"]), "task": task, "facts": kept})
            datetime.fromisoformat(record.at)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"this is not a record: {error}") from error
        if wrong := record._wrong():
            raise ValueError(f"this is not a record: the values of {', '.join(wrong)} are wrong")
        return record

    def _wrong(self) -> list[str]:
        """Return the names of fields and facts with values that they cannot have."""
        are_right = {
            "kind": self.kind in KINDS,
            "path": isinstance(self.path, str),
            "succeeded": isinstance(self.succeeded, bool),
            "error": self.error is None or isinstance(self.error, str),
            "task": self.task is None or _is_task(self.task),
            "facts": isinstance(self.facts, dict),
        }
        wrong = [name for name, is_right in are_right.items() if not is_right]
        return wrong or wrong_facts(self.facts)


def _task(values: Mapping[str, Any]) -> TaskRun:
    # Thousands of records have the same names: one copy of each saves megabytes.
    return TaskRun(**{**values, "dag_id": intern(values["dag_id"]), "task_id": intern(values["task_id"])})


def _is_task(task: TaskRun) -> bool:
    return (
        type(task.dag_id) is type(task.run_id) is type(task.task_id) is str
        and type(task.map_index) is type(task.try_number) is int
    )


def utc_second(time: datetime) -> str:
    """Return a time as a UTC second in ISO 8601, such as ``2026-11-29T02:00:00Z``; such texts sort by time."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def month_of(record: Record) -> str:
    """Return the month of a record, such as ``2015-03``.

    It is that of the first day of a fetch's window, of the last day that a ranking covers, and of the time of any other
    record; also of a fetch or a ranking without days.
    """
    start, end = record.facts.get("start_date"), record.facts.get("end_date")
    if record.kind == "fetch" and start:
        return str(start)[:7]
    if record.kind == "ranking" and end:
        return str(date.fromisoformat(end) - timedelta(days=1))[:7]
    return record.at[:7]


def address_of(path: str) -> str:
    """Return the absolute path of a local file, without resolving links; a URL of object storage as it is."""
    local = local_path(path_text(path))
    return path_text(path) if local is None else os.path.abspath(local)  # noqa: PTH100 - resolves no links


def facts_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a manifest, without what the record itself says, and without the files that were read.

    What remains of the files are the path of the earlier ranking, as ``compare_to``, and the folders of the ratings, as
    ``input_folders``: absolute paths or URLs.
    """
    # Only manifests of files have a task; the path of another return value is not that of its record.
    repeated = ("inputs", "path", "task") if "task" in manifest else ("inputs",)
    facts = {name: value for name, value in manifest.items() if name not in repeated}
    if "compare_to" in facts:
        facts["compare_to"] = next((file["path"] for file in facts["compare_to"]), None)
        facts["input_folders"] = sorted({address_of(file["path"]).rpartition("/")[0] for file in manifest["inputs"]})
        del facts["movies"]
    return facts
