"""Folders that only our own user writes to: they are taken over and cleaned without following a planted link.

Other users may create files in a folder such as ``/tmp``, also under the names that this package uses.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from errno import EPERM
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Iterator
    from pathlib import Path

PRIVATE = 0o700
_OTHERS = 0o077


@contextmanager
def own_folder(path: Path) -> Iterator[int]:
    """Yield a descriptor of a folder of our own user, which other users may no longer enter.

    Raises:
        OSError: There is no such folder, it is a symbolic link, or it belongs to another user.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() and found.st_uid != _owner_of_new_folders(path.parent):
            raise PermissionError(EPERM, "it belongs to another user", str(path))
        if found.st_mode & _OTHERS:
            with suppress(PermissionError):  # a file system without permissions
                os.fchmod(descriptor, PRIVATE)
        yield descriptor
    finally:
        os.close(descriptor)


def is_own_folder(path: Path) -> bool:
    """Return whether `own_folder` accepts a path."""
    try:
        with own_folder(path):
            return True
    except OSError:
        return False


def remove_files(path: Path, names: re.Pattern[str], keep: Collection[str] = ()) -> None:
    """Remove the files of a folder of our own user whose whole name matches ``names``, except those in ``keep``.

    Raises:
        OSError: The folder is not accepted by `own_folder`, or a file cannot be removed.
    """
    with own_folder(path) as folder:
        for name in os.listdir(folder):  # noqa: PTH208 - of a descriptor
            if names.fullmatch(name) and name not in keep:
                os.unlink(name, dir_fd=folder)


def refuse_foreign_link(path: Path) -> None:
    """Check that a path is no symbolic link of another user; one of our own user or of root may be followed.

    Raises:
        PermissionError: It is.
    """
    with suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {os.geteuid(), 0}:
            raise PermissionError(EPERM, "it is a symbolic link of another user, which is not followed", str(path))


def _owner_of_new_folders(parent: Path) -> int:
    """Return to whom a file system gives what this process creates: a network share may give it to one user for all."""
    probe = mkdtemp(prefix=".partial-", dir=parent)
    try:
        return os.lstat(probe).st_uid
    finally:
        os.rmdir(probe)  # noqa: PTH106
