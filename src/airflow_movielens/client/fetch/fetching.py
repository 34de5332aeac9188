"""Fetching a window of ratings."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from airflow_movielens import __version__
from airflow_movielens.client.concurrency import begin, result_of
from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.fetch.checkpoint import LAYOUT
from airflow_movielens.client.fetch.manifest import QUARANTINE_ENDING, Manifest
from airflow_movielens.client.fetch.output import LocalFolder
from airflow_movielens.client.fetch.parts import PartStore
from airflow_movielens.client.fetch.progress import Meter
from airflow_movielens.client.fetch.resume import read_table
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.client.settings import checked_page_size
from airflow_movielens.ratings.messages import shown
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
    from airflow_movielens.client.rows import Batch, Bookmark
    from airflow_movielens.client.settings import ClientSettings
    from airflow_movielens.client.window import Window

    OnBadRows = Literal["fail", "quarantine"]

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
) -> Manifest:
    """Fetch the ratings of a window into a file: one state of the server's data, whole or not at all.

    What has arrived is kept beside the output, so that after a crash the same call goes on where it stopped.

    Args:
        client: Where the ratings come from.
        window: The days wanted.
        output: Where they go.
        batch_size: Rows to ask for in one request; None for the client's page size.
        on_bad_rows: What becomes of rows that break the contract: ``fail`` raises, ``quarantine`` puts them into a file
            of their own.
        checkpoints: Where it is noted how far the fetch is; None for the folder that holds the parts.
        progress: Is called with the progress after each page.

    Returns:
        What is known of the file; the same is kept beside it.

    Raises:
        RatingsChangedError: The data kept changing in every attempt.
        MovielensError: See its subclasses.
        OSError: The output cannot be written.
    """
    if not isinstance(on_bad_rows, str) or on_bad_rows not in ("fail", "quarantine"):
        raise FatalError(f"on_bad_rows is {shown(on_bad_rows)}: give 'fail' or 'quarantine'")
    page_size = checked_page_size(client.settings.page_size if batch_size is None else batch_size)
    key = _key(client.settings, window, page_size, on_bad_rows, output)
    read = partial(_read, client, window, page_size, on_bad_rows)
    with output.folder(key) as folder:
        kept = checkpoints or folder.checkpoints
        store = PartStore(folder, kept, key)
        store.resume()
        _log_resumption(window, store.checkpoint.bookmark)
        read_table(read, store, Meter(progress))
        manifest = _write(store, folder.local, output, window, client.settings.base_url)
        kept.clear()
        folder.clear()
    return manifest


@contextmanager
def fetched_rows(
    client: MovielensClient, window: Window, progress: Callable[[Progress], None] | None = None
) -> Iterator[pl.LazyFrame]:
    """Fetch the ratings of a window to read them once, from a temporary folder; errors as in `fetch_ratings`."""
    page_size = checked_page_size(client.settings.page_size)
    with scratch_folder() as path:
        folder = LocalFolder(path)
        store = PartStore(folder, folder.checkpoints, "")
        read_table(partial(_read, client, window, page_size, "fail"), store, Meter(progress))
        yield store.scan()


def _log_resumption(window: Window, bookmark: Bookmark | None) -> None:
    if bookmark is not None:
        total = "" if bookmark.total is None else f" of {bookmark.total:,}"
        message = "Resuming the ratings of %s: %s rows%s are already saved"
        log.info(message, window, f"{bookmark.count:,}", total)


def _read(
    client: MovielensClient, window: Window, page_size: int, on_bad_rows: OnBadRows, bookmark: Bookmark | None
) -> Iterator[Batch]:
    return client.read_batches(window.start, window.end, page_size, bookmark=bookmark, on_bad_rows=on_bad_rows)


def _key(settings: ClientSettings, window: Window, page_size: int, on_bad_rows: OnBadRows, output: Output) -> str:
    # Another user may be shown other ratings. A token says nothing here: it may be another one every hour.
    asked = [settings.base_url, settings.user, "ratings", str(window), page_size, settings.data_format, on_bad_rows]
    same = [LAYOUT, *asked, settings.time_zone, output.address]
    return hashlib.sha256(json.dumps(same).encode()).hexdigest()[:16]


def _write(store: PartStore, folder: Path, output: Output, window: Window, source: str) -> Manifest:
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
        quarantined=checkpoint.quarantined,
        quarantine_path=None if quarantine is None else output.path + QUARANTINE_ENDING,
        snapshot=checkpoint.bookmark.snapshot if checkpoint.bookmark else None,
        sha256=digest,
        bytes=data.stat().st_size,
        source=source,
        fetched_at=fetched_at,
        package_version=__version__,
    )
    output.publish(data, quarantine, manifest)
    return manifest


def _write_data(store: PartStore, folder: Path, output: Output) -> Path:
    # Another attempt's unfinished file, written by a thread that lives on for a moment, must not be this one.
    data = folder / f"{store.attempt}-{output.name}"
    try:
        result_of(begin(lambda: write_rows(store.scan(), data, FileFormat.of(output.name))))
    except Exception:
        # The disk may be full: what is no file yet must not fill it any longer.
        data.unlink(missing_ok=True)
        raise
    return data


def _write_quarantine(store: PartStore, folder: Path) -> Path | None:
    count = store.checkpoint.quarantined
    if not count:
        return None
    path = folder / f"{store.attempt}{QUARANTINE_ENDING}"
    with path.open("wb") as file:
        file.writelines(store.bad_lines())
    log.warning("%d rows break the contract and were quarantined", count)
    return path
