"""Temporary folders, without those that killed processes left."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING

from airflow_movielens.ratings.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "airflow-movielens-"
_LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a new folder of this machine, which is removed when the block ends; so are those of killed processes."""
    _remove_dead()
    folder = Path(mkdtemp(prefix=_PREFIX))
    lock = try_lock(folder / _LOCK, create=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_dead() -> None:
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        # Only whoever lives holds the lock, and other users' cannot be opened.
        if (lock := try_lock(folder / _LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
