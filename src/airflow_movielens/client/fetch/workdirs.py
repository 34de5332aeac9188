"""Hidden folders beside an output that outlive a killed process, and are worked in by one attempt at a time."""

from __future__ import annotations

import logging
import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_movielens.ratings.atomic_files import remove_dead_partials
from airflow_movielens.ratings.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

PART_ENDING = ".arrow"
_LOCK = "lock"
_PREFIX = "airflow-movielens-"
_TRIES = 10
_OWN_ENDING = re.compile(r"(?<=-[0-9a-f]{16})-[0-9a-f]{8}$")


@contextmanager
def claimed_folder(output: Path, key: str) -> Iterator[Path]:
    """Give the folder of the fetch ``key``, locked until the block ends; if it has parts then, it stays.

    If another attempt is alive in it, or the file system knows no locks, a new one is given that ends with the block.
    What dead attempts to write ``output`` left behind in other folders is removed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f".partial-{output.name}-{key}")
    lock = _claim(folder)
    is_own = lock is None
    if is_own:
        log.info("Another attempt holds %s, or it cannot be locked: this one works in a folder of its own", folder)
        folder = folder.with_name(f"{folder.name}-{uuid4().hex[:8]}")
        lock = _claim(folder)
    try:
        _remove_dead_attempts(output, folder)
        yield folder
    finally:
        if is_own or not any(folder.glob(f"*{PART_ENDING}")):
            _discard(folder)
        if lock is not None:
            os.close(lock)


def _claim(folder: Path) -> int | None:
    for _ in range(_TRIES):
        folder.mkdir(exist_ok=True)
        lock = try_lock(folder / _LOCK, create=True)
        # An attempt that just ended may have removed the folder under our hands.
        if lock is not None or folder.exists():
            return lock
    return None


def _remove_dead_attempts(output: Path, own: Path) -> None:
    remove_dead_partials(output)
    of_output = re.compile(rf"\.partial-{re.escape(output.name)}-[0-9a-f]{{16}}(-[0-9a-f]{{8}})?")
    for folder in output.parent.iterdir():
        if folder == own or not of_output.fullmatch(folder.name):
            continue
        if (lock := try_lock(folder / _LOCK, create=True)) is not None:
            log.info("Removing %s, which an attempt that died left behind", folder)
            _discard(folder)
            os.close(lock)


def _discard(folder: Path) -> None:
    # Renamed first: whoever claims the folder next must not lose files of its own to the removal.
    doomed = folder.with_name(f"{_OWN_ENDING.sub('', folder.name)}-{uuid4().hex[:8]}")
    with suppress(OSError):  # gone, or in a folder where each user removes only their own
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a new folder of this machine, which is removed when the block ends; so are those of killed processes."""
    _remove_dead_scratch()
    folder = Path(mkdtemp(prefix=_PREFIX))
    lock = try_lock(folder / _LOCK, create=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_dead_scratch() -> None:
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        # Only whoever lives holds the lock, and other users' cannot be opened.
        if (lock := try_lock(folder / _LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
