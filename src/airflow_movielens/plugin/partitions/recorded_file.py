"""A file that a task wrote or failed to write, as the catalogue recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_movielens.storage.catalogue import Record, TaskRun


@dataclass(frozen=True)
class RecordedFile:
    """A file that a task wrote or failed to write.

    Attributes:
        record: The record of the catalogue.
    """

    record: Record

    @property
    def at(self) -> str:
        """When the task ended, in UTC as ISO 8601."""
        return self.record.at

    @property
    def path(self) -> str:
        """The absolute path or URL of the file."""
        return self.record.path

    @property
    def task(self) -> TaskRun | None:
        """The task instance; None if it is unknown."""
        return self.record.task

    def fact(self, name: str) -> Any:
        """Return a fact of the manifest, None if it is unknown."""
        return self.record.facts.get(name)
