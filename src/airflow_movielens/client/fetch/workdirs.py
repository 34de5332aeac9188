"""Hidden folders beside an output, which survive a killed process, and temporary folders, which do not.

A lock on the folder shows which attempt is alive. The folders are private, and only names that are written are removed.
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
from airflow_movielens.ratings.own_folders import PRIVATE, is_own_folder, remove_files

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

PART_ENDING = ".arrow"
EARLY = "early-"
"""How the number of a part begins that a longer one is to replace."""
NAME_OF_PART = re.compile(rf"[0-9a-f]{{8}}-({EARLY})?\d+({re.escape(PART_ENDING)}|\.ndjson)", re.ASCII)
"""The names of the parts of a fetch: attempt, number, and whether the rows are quarantined."""
NAMES_OF_PARTS = re.compile(r"(checkpoint|manifest)\.json(\.new)?|[0-9a-f]{8}(-.+|\.quarantine\.ndjson)", re.DOTALL)
"""The names that a fetch writes in the folder of its parts."""
_LOCK = "lock"
_PREFIX = "airflow-movielens-"
_UNNAMED = f"new-{_PREFIX}"
_SCRATCH = re.compile(rf"{_PREFIX}\w{{8}}", re.ASCII)
_TRIES = 10
_OWN_ENDING = re.compile(r"(?<=-[0-9a-f]{16})-[0-9a-f]{8}$")


@contextmanager
def claimed_folder(output: Path, key: str) -> Iterator[Path]:
    """Yield the folder of the fetch ``key``, locked until the block ends; if it then has parts, it is kept.

    If another attempt is alive in it, it is a symbolic link or belongs to another user, or the file system does not
    support locks, the folder is a new one that is removed at the end. Folders that dead attempts of the same user to
    write ``output`` left behind are removed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f".partial-{output.name}-{key}")
    lock = _claim(folder)
    is_separate = lock is None
    if is_separate:
        log.info("Another attempt holds %s, or it cannot be used: this attempt uses a separate folder", folder)
        folder = folder.with_name(f"{folder.name}-{uuid4().hex[:8]}")
        lock = _claim(folder)
    try:
        _remove_dead_attempts(output, folder)
        yield folder
    finally:
        if is_separate or not any(folder.glob(f"*{PART_ENDING}")):
            _discard(folder, output)
        if lock is not None:
            os.close(lock)


def _claim(folder: Path) -> int | None:
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            folder.mkdir(PRIVATE)
        if not is_own_folder(folder):
            return None
        lock = try_lock(folder / _LOCK, create=True)
        # An attempt that has just ended may have removed the folder meanwhile.
        if lock is not None or folder.exists():
            return lock
    return None


def _remove_dead_attempts(output: Path, own: Path) -> None:
    remove_dead_partials(output)
    name_of_output = re.compile(rf"\.partial-{re.escape(output.name)}-[0-9a-f]{{16}}(-[0-9a-f]{{8}})?")
    for folder in output.parent.iterdir():
        if folder == own or not name_of_output.fullmatch(folder.name) or not is_own_folder(folder):
            continue
        if (lock := try_lock(folder / _LOCK, create=True)) is not None:
            log.info("Removing %s, which a dead attempt left behind", folder)
            _discard(folder, output)
            os.close(lock)


def _discard(folder: Path, output: Path) -> None:
    # Renamed first: the next attempt to claim the folder must not lose its own files to the removal.
    doomed = folder.with_name(f"{_OWN_ENDING.sub('', folder.name)}-{uuid4().hex[:8]}")
    with suppress(OSError):  # gone, or in a folder where each user removes only their own
        folder.rename(doomed)
        remove_files(doomed, re.compile(rf"{_LOCK}|{re.escape(output.name)}|{NAMES_OF_PARTS.pattern}", re.DOTALL))
        doomed.rmdir()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new temporary folder, which is removed at the end, as are those of killed processes."""
    _remove_dead_scratch()
    # Another process would remove a folder that is not locked yet, so it gets its name once it is.
    unnamed = Path(mkdtemp(prefix=_UNNAMED))
    lock = try_lock(unnamed / _LOCK, create=True)
    folder = unnamed.rename(unnamed.with_name(_PREFIX + unnamed.name.removeprefix(_UNNAMED)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_dead_scratch() -> None:
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        if not _SCRATCH.fullmatch(folder.name) or not is_own_folder(folder):
            continue
        # A live process holds the lock.
        if (lock := try_lock(folder / _LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
