"""What a task does, recorded in the catalogue of the configured data root, and by metrics."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens.metrics import is_failure, send_failure, send_success
from airflow_movielens.ratings.paths import path_text
from airflow_movielens.storage.catalogue.catalogue import Catalogue
from airflow_movielens.storage.catalogue.records import Record, TaskRun, address_of, facts_of, utc_second
from airflow_movielens.storage.inputs import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    import polars as pl
    from airflow.sdk import Context

    from airflow_movielens.storage.catalogue.records import Kind

log = logging.getLogger(__name__)

_LONGEST_ERROR = 2_000
"""A record holds at most so many characters of an error."""


class Recording:
    """What a task does.

    Args:
        kind: What it does.
        path: The path or URL of its output; of a training or promotion, the folder of the registry.
        task: The task instance; None if it is not known.

    Attributes:
        task: The task instance; None if it is not known.
        known: The facts to record if the task fails.
        facts: The facts of the success; None until `done` is called.
    """

    def __init__(self, kind: Kind, path: str | PathLike[str], task: TaskRun | None) -> None:
        self.task = task
        self.known: dict[str, Any] = {}
        self._kind = kind
        self._path = path
        self.facts: dict[str, Any] | None = None
        self._at = ""

    def done(self, facts: dict[str, Any], at: str | None = None) -> None:
        """Say that the task has succeeded.

        Args:
            facts: The manifest or return value.
            at: When the output was complete, in ISO 8601; None for now.
        """
        time = datetime.now(UTC) if at is None else datetime.fromisoformat(at)
        self.facts, self._at = facts_of(facts), utc_second(time)

    def save_movies(self, movies: pl.DataFrame) -> None:
        """Save all movies in the catalogue; see `Catalogue.save_movies`."""
        self._try(lambda catalogue, _: catalogue.save_movies(movies))

    def save(self) -> None:
        """Add the record of a success, if there is one."""
        if self.facts is not None:
            self._add(self._at, None, self.facts)

    def save_failure(self, error: BaseException) -> None:
        """Add the record of a failure."""
        words = " ".join(str(error).split()) or type(error).__name__
        self._add(utc_second(datetime.now(UTC)), words[:_LONGEST_ERROR], {"path": str(self._path), **self.known})

    def _add(self, at: str, error: str | None, facts: dict[str, Any]) -> None:
        self._try(
            lambda catalogue, address: catalogue.add(
                Record(self._kind, at, address, error is None, error, self.task, facts)
            )
        )

    def _try(self, write: Callable[[Catalogue, str], None]) -> None:
        """Write to the catalogue that the output belongs to, if any; no task fails because of it."""
        root = data_root()
        try:
            if root is not None and _is_below(path_text(self._path), root):
                write(Catalogue(root), address_of(path_text(self._path)))
        except Exception as error:  # noqa: BLE001 - object storage raises anything
            log.warning("The catalogue of %s lacks this task, because it cannot be written: %s", root, error)


def data_root() -> str | None:
    """Return the configured data root, or None."""
    from airflow.configuration import conf

    configured: str = conf.get("movielens", "data_root", fallback="") or ""
    return configured.strip() or None


@contextmanager
def recorded(kind: Kind, context: Context, path: str | PathLike[str]) -> Iterator[Recording]:
    """Record what the block does, in the catalogue and by metrics: success, once it calls `Recording.done`, or failure.

    A skipped, deferred or stopped task is not recorded. The catalogue only has outputs that lie in the data root.

    Args:
        kind: What the task does.
        context: The context of the task.
        path: The path or URL of its output; of a training or promotion, the folder of the registry.
    """
    recording = Recording(kind, path, task_run(context))
    try:
        yield recording
    except BaseException as error:
        if is_failure(error):
            send_failure(kind, error, context)
            recording.save_failure(error)
        raise
    if recording.facts is not None:
        send_success(kind, recording.facts, context)
    recording.save()


def task_run(context: Context) -> TaskRun | None:
    """Return the task instance of a context; None if the context has none."""
    ti: Any = context.get("ti")
    if ti is None:
        return None
    map_index = -1 if ti.map_index is None else ti.map_index
    return TaskRun(ti.dag_id, ti.run_id, ti.task_id, map_index, ti.try_number)


def _is_below(path: str, root: str) -> bool:
    folder = steps(path_text(root))
    return steps(path)[: len(folder)] == folder
