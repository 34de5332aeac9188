"""Read a whole window: resume after the parts of an earlier attempt, and start over if the data changed."""

from __future__ import annotations

import logging
from contextlib import closing
from operator import attrgetter
from typing import TYPE_CHECKING

import tenacity

from airflow_movielens.client.errors import RatingsChangedError
from airflow_movielens.client.fetch.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from airflow_movielens.client.client import MovielensClient
    from airflow_movielens.client.fetch.part_store import PartStore
    from airflow_movielens.client.fetch.progress import Meter
    from airflow_movielens.client.rows import Batch
    from airflow_movielens.client.settings import ReadOptions

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""How often a window is started before the fetch fails because the data keeps changing."""


def attempts(longest_wait: float = 1.0) -> tenacity.Retrying:
    """Return up to `ATTEMPTS` attempts; each but the first follows one during which the data changed."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random(longest_wait / 10, longest_wait),
        retry=tenacity.retry_if_exception_type(RatingsChangedError),
        before_sleep=_log_start_over,
        reraise=True,
    )


def _log_start_over(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Starting over, attempt %d of %d: %s", state.attempt_number + 1, ATTEMPTS, error)


def resume(store: PartStore) -> None:
    """Resume after the parts that an earlier attempt of the same fetch saved; otherwise start over."""
    found, problems = _saved(store)
    for checkpoint in found:
        try:
            _verify(checkpoint, store)
        except (ValueError, OSError) as error:
            problems.append(error)
        else:
            store.adopt(checkpoint)
            return
    if problems:
        log.warning("Starting over, because the parts of an earlier attempt cannot be used: %s", problems[0])
        store.start_over()
    else:
        store.adopt(store.empty)


def _saved(store: PartStore) -> tuple[list[Checkpoint], list[Exception]]:
    """Return the checkpoints that earlier attempts have saved, the latest first, and why others cannot be read."""
    found: list[Checkpoint] = []
    problems: list[Exception] = []
    for place in store.places:
        try:
            if (values := place.load()) is not None:
                found.append(Checkpoint.from_dict(values))
        except (ValueError, OSError) as error:
            problems.append(error)
    return sorted(found, key=attrgetter("saved_at"), reverse=True), problems


def _verify(found: Checkpoint, store: PartStore) -> None:
    if found.key != store.empty.key:
        raise ValueError("they are of another source, user, window, format or output")
    if found.is_old:
        raise ValueError(f"they are of {found.saved_at:%Y-%m-%d %H:%M} UTC, more than 24 hours ago")
    for name in found.files:
        store.folder.load(name)
    if not found.matches([store.folder.local / name for name in found.files]):
        raise ValueError("the files are not as they were written")


def fill_store(client: MovielensClient, options: ReadOptions, store: PartStore, meter: Meter) -> None:
    """Fill ``store`` with the rest of its window; if the data changes meanwhile, start over, up to `ATTEMPTS` times.

    Args:
        client: Reads the batches.
        options: What to read.
        store: Holds exactly the window afterwards.
        meter: Counts the batches.

    Raises:
        RatingsChangedError: The data changed in every attempt.
        MovielensError: See its subclasses.
    """
    for attempt in attempts(client.tuning.start_over_seconds):
        with attempt:
            try:
                _read_rest(client, options, store, meter)
            except RatingsChangedError:
                store.start_over()
                raise


def _read_rest(client: MovielensClient, options: ReadOptions, store: PartStore, meter: Meter) -> None:
    bookmark = store.checkpoint.bookmark
    meter.resume(bookmark)
    if not store.checkpoint.is_complete:
        with store.all_durable(), closing(_counted(client.read(options, bookmark), meter)) as batches:
            for batch in batches:
                store.add(batch)


def _counted(batches: Iterator[Batch], meter: Meter) -> Generator[Batch, None, None]:
    try:
        for batch in batches:
            meter.count(batch.bookmark)
            yield batch
    finally:
        # Cut off the requests in flight.
        if hasattr(batches, "close"):
            batches.close()
