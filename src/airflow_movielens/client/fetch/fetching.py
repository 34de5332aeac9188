"""Fetch a window of ratings into a file, exactly."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_movielens import __version__
from airflow_movielens.client.concurrency import begin, result_of
from airflow_movielens.client.fetch.checkpoint import LAYOUT
from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, LocalFolder, Manifest
from airflow_movielens.client.fetch.part_store import PartStore
from airflow_movielens.client.fetch.progress import Meter
from airflow_movielens.client.fetch.resume import fill_store, resume
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.client.limits import Limits
from airflow_movielens.client.settings import ReadOptions
from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.writing import write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.client import MovielensClient
    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.client.fetch.output import Output
    from airflow_movielens.client.fetch.progress import Progress
    from airflow_movielens.client.rows import Bookmark
    from airflow_movielens.client.settings import ClientSettings, OnBadRows
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.task_run import TaskRun

log = logging.getLogger(__name__)


def fetch_ratings(
    client: MovielensClient,
    window: Window,
    output: Output,
    *,
    batch_size: int | None = None,
    on_bad_rows: OnBadRows = "fail",
    checkpoints: Checkpoints | None = None,
    progress: Callable[[Progress], None] | None = None,
    task: TaskRun | None = None,
) -> Manifest:
    """Fetch the ratings of a window into a file: one state of the server's data, whole or not at all.

    Parts that have arrived are kept beside the output, so that the same call resumes after a crash.

    Args:
        client: The client of the API.
        window: The days to fetch.
        output: The file to write.
        batch_size: Rows per request; None for the client's page size. It may be another one than that of the attempt
            that is resumed.
        on_bad_rows: How to handle rows that break the contract: ``fail`` raises, ``quarantine`` writes them to a
            separate file.
        checkpoints: Where the checkpoint of whole parts is stored; None for the folder that holds the parts.
        progress: Called with the progress after each page.
        task: The task instance of Airflow that fetches, for the manifest; None if none does.

    Returns:
        The manifest of the file, which is also written beside it.

    Raises:
        RatingsChangedError: The data kept changing in every attempt.
        DataError: There are more than ``max_rows`` ratings; see `ClientSettings`.
        RetryableError: The fetch took more than ``max_seconds``; the same call resumes.
        MovielensError: See its subclasses.
        OSError: The output cannot be written.
    """
    page_size = client.settings.page_size if batch_size is None else batch_size
    options = ReadOptions(window, page_size, on_bad_rows, _limits(client.settings))
    key = _key(client.settings, options, output)
    with output.folder(key) as folder:
        store = PartStore(folder, checkpoints or folder.checkpoints, key, client.tuning)
        resume(store)
        _log_resumption(window, store.checkpoint.bookmark)
        fill_store(client, options, store, Meter(progress))
        manifest = _write(store, output, window, client.settings.base_url, task)
        store.clear_checkpoints()
        folder.clear()
    return manifest


@contextmanager
def fetched_rows(
    client: MovielensClient, window: Window, progress: Callable[[Progress], None] | None = None
) -> Iterator[pl.LazyFrame]:
    """Fetch the ratings of a window to read them once, from a temporary folder; errors as in `fetch_ratings`."""
    options = ReadOptions(window, client.settings.page_size, limits=_limits(client.settings))
    with scratch_folder() as path:
        folder = LocalFolder(path, saves_early=False)
        store = PartStore(folder, folder.checkpoints, "", client.tuning)
        fill_store(client, options, store, Meter(progress))
        yield store.scan()


def _limits(settings: ClientSettings) -> Limits:
    return Limits(settings.max_rows, settings.max_seconds)


def _log_resumption(window: Window, bookmark: Bookmark | None) -> None:
    if bookmark is not None:
        total = "" if bookmark.total is None else f" of {bookmark.total:,}"
        message = "Resuming the ratings of %s: %s rows%s are already saved"
        log.info(message, window, f"{bookmark.count:,}", total)


def _key(settings: ClientSettings, options: ReadOptions, output: Output) -> str:
    # Another user may be shown other ratings. The token is left out: it may change every hour.
    identity = [
        LAYOUT,
        settings.base_url,
        settings.user,
        "ratings",
        str(options.window),
        settings.data_format,
        options.on_bad_rows,
        settings.time_zone,
        output.address,
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def _write(store: PartStore, output: Output, window: Window, source: str, task: TaskRun | None) -> Manifest:
    folder = store.folder.local
    fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
    data = _write_data(store, folder, output)
    quarantine = _write_quarantine(store, folder)
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    checkpoint = store.checkpoint
    manifest = Manifest(
        path=output.path,
        start_date=None if window.start is None else window.start.isoformat(),
        end_date=None if window.end is None else window.end.isoformat(),
        rows=checkpoint.rows,
        histogram=_histogram(store.scan()),
        quarantined=checkpoint.quarantined,
        quarantine_path=None if quarantine is None else output.path + QUARANTINE_ENDING,
        snapshot=checkpoint.bookmark.snapshot if checkpoint.bookmark else None,
        sha256=digest,
        bytes=data.stat().st_size,
        source=source,
        fetched_at=fetched_at,
        package_version=__version__,
        task=task,
    )
    output.publish(data, quarantine, manifest)
    return manifest


def _write_data(store: PartStore, folder: Path, output: Output) -> Path:
    # A thread of another attempt may still write its own unfinished file.
    data = folder / f"{store.attempt}-{output.name}"
    try:
        result_of(begin(lambda: write_rows(store.scan(), data, FileFormat.of(output.name))))
    except Exception:
        # The disk may be full: free the space of the unfinished file.
        data.unlink(missing_ok=True)
        raise
    return data


def _histogram(rows: pl.LazyFrame) -> list[int]:
    """Return how many ratings have 0.5, 1, … 5 stars; of the parts, which lie uncompressed in Arrow's format."""
    import polars as pl

    half_stars = (pl.col("rating") * 2).cast(pl.Int8).alias("half_stars")
    counts = dict(rows.group_by(half_stars).len().collect(engine="streaming").iter_rows())
    return [counts.get(number, 0) for number in range(1, 11)]


def _write_quarantine(store: PartStore, folder: Path) -> Path | None:
    count = store.checkpoint.quarantined
    if not count:
        return None
    path = folder / f"{store.attempt}{QUARANTINE_ENDING}"
    with path.open("wb") as file:
        file.writelines(store.bad_lines())
    log.warning("%d rows break the contract and were quarantined", count)
    return path
