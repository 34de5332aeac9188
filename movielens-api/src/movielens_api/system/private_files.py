"""Private files: only their owner can read them, and a symbolic link in their place is never followed."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
# Windows has no such links without special rights.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def opener(path: str, flags: int) -> int:
    """Open a file for Python's ``open``. A new file belongs to its owner alone; an existing one keeps its mode.

    Args:
        path: The file.
        flags: The flags of ``os.open``.

    Raises:
        OSError: The file cannot be opened, or is a symbolic link.
    """
    try:
        return os.open(path, flags | _NO_FOLLOW, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path} is a symbolic link: remove it", path) from error
        raise


def opener_of_new(path: str, flags: int) -> int:
    """Open a file that does not exist yet, like ``opener``.

    Raises:
        FileExistsError: The file exists.
        OSError: The file cannot be created.
    """
    return opener(path, flags | os.O_EXCL)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, for their owner alone. Existing ones keep their modes.

    Raises:
        OSError: A folder cannot be created.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(FOLDER_MODE, exist_ok=True)


def exposure(path: Path, *, may_group: bool = False) -> str | None:
    """Return a warning if the mode of a file lets other users read or change it, or None.

    Args:
        path: The file. It need not exist.
        may_group: Whether the group may read the file, as is usual for keys that several servers share.
    """
    refused = 0o037 if may_group else 0o077
    try:
        exposed = os.name == "posix" and path.stat().st_mode & refused
    except OSError:
        return None
    return f"other users of this computer can read or change {path}: run chmod 600 on it" if exposed else None
