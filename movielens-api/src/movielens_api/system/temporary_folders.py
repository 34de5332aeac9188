"""Temporary folders: each is removed when it is no longer used, and those of killed processes at the next start."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from movielens_api.system.locks import FileLock

PREFIX = "movielens-api-"
LOCK = "lock"


class TemporaryFolder:
    """A new temporary folder for the owner alone, as long as its creator lives.

    Attributes:
        path: The folder. The file ``lock`` in it shows that its creator is alive.
    """

    def __init__(self) -> None:
        _remove_dead()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Named once it is locked, because others remove a folder whose lock is free.
        unnamed = self.path / f"{LOCK}.new"
        self._lock = FileLock(unnamed)
        self._lock.acquire()
        unnamed.rename(self.path / LOCK)

    def close(self) -> None:
        """Remove the folder."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_error: object) -> None:
        self.close()


def _remove_dead() -> None:
    if os.name != "posix":
        return  # no locks there
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Return whether a folder is our user's, and its lock is free."""
    try:
        is_ours = not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()
        if not is_ours or not (folder / LOCK).is_file():
            return False
        lock = FileLock(folder / LOCK)
    except OSError:
        return False
    is_free = lock.acquire(blocking=False)
    lock.close()
    return is_free
