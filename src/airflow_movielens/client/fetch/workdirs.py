"""Hidden folders beside an output, which survive a killed process, and temporary folders, which do not.

A lock on the folder shows which attempt is alive.
"""

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
    """Yield the folder of the fetch ``key``, locked until the block ends; if it then has parts, it is kept.

    If another attempt is alive in it, or the file system does not support locks, the folder is a new one that is
    removed at the end. Folders that dead attempts to write ``output`` left behind are removed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f".partial-{output.name}-{key}")
    lock = _claim(folder)
    is_separate = lock is None
    if is_separate:
        log.info("Another attempt holds %s, or it cannot be locked: this attempt uses a separate folder", folder)
        folder = folder.with_name(f"{folder.name}-{uuid4().hex[:8]}")
        lock = _claim(folder)
    try:
        _remove_dead_attempts(output, folder)
        yield folder
    finally:
        if is_separate or not any(folder.glob(f"*{PART_ENDING}")):
            _discard(folder)
        if lock is not None:
            os.close(lock)


def _claim(folder: Path) -> int | None:
    for _ in range(_TRIES):
        folder.mkdir(exist_ok=True)
        lock = try_lock(folder / _LOCK, create=True)
        # An attempt that has just ended may have removed the folder meanwhile.
        if lock is not None or folder.exists():
            return lock
    return None


def _remove_dead_attempts(output: Path, own: Path) -> None:
    remove_dead_partials(output)
    name_of_output = re.compile(rf"\.partial-{re.escape(output.name)}-[0-9a-f]{{16}}(-[0-9a-f]{{8}})?")
    for folder in output.parent.iterdir():
        if folder == own or not name_of_output.fullmatch(folder.name):
            continue
        if (lock := try_lock(folder / _LOCK, create=True)) is not None:
            log.info("Removing %s, which a dead attempt left behind", folder)
            _discard(folder)
            os.close(lock)


def _discard(folder: Path) -> None:
    # Renamed first: the next attempt to claim the folder must not lose its own files to the removal.
    doomed = folder.with_name(f"{_OWN_ENDING.sub('', folder.name)}-{uuid4().hex[:8]}")
    with suppress(OSError):  # gone, or in a folder where each user removes only their own
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new temporary folder, which is removed at the end, as are those of killed processes."""
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
        # A live process holds the lock, and folders of other users cannot be opened.
        if (lock := try_lock(folder / _LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
