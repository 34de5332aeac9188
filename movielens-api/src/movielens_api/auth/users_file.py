"""The users file: read again when it changes, replaced as a whole."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING

from pydantic import ValidationError

from movielens_api.auth.users import Users
from movielens_api.errors import DamagedUsersError, UserError
from movielens_api.system.atomic_files import replace_file
from movielens_api.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "users.json"
OWNER_ONLY = 0o600
Signature = tuple[int, int, int] | None
log = logging.getLogger(__name__)


class UsersFile:
    """``users.json`` in a folder: the users of a server, in a file that only its owner can read.

    Attributes:
        path: The file. Without it, there are no users.

    Raises:
        DamagedUsersError: The file cannot be read, or contains something else.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file = str(self.path)
        self._signature = _signature(self._file)
        self._users = read(self.path)

    def current(self) -> Users:
        """Return the current users: the same object as long as the file does not change.

        If the file becomes damaged, the users stay as they were, and the error is logged once.
        """
        found = _signature(self._file)
        if found != self._signature:
            self._signature = found
            try:
                self._users = read(self.path)
            except DamagedUsersError as error:
                log.error("%s; the users stay as they were", error)
        return self._users

    def edit(self, change: Callable[[Users], Users]) -> Users:
        """Change the users. Concurrent edits wait for each other, and a crash leaves the old file or the new one.

        Args:
            change: Takes the users and returns new ones. It should be fast.

        Raises:
            UserError: ``change`` raised it, or the file cannot be written.
            DamagedUsersError: The file cannot be read.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(FileLock(self.path.with_suffix(".lock"), OWNER_ONLY)) as lock, lock:
                changed = change(read(self.path))
                with replace_file(self.path, mode=OWNER_ONLY, temporary=self.path.with_suffix(".new")) as file:
                    file.write(changed.model_dump_json(indent=1).encode() + b"\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path} (see --data-dir): {error.strerror or error}") from error
        return changed


def read(path: Path) -> Users:
    """Return the users in a file, or no users if it does not exist.

    Raises:
        DamagedUsersError: The file cannot be read, or contains something else. The message quotes nothing of it.
    """
    try:
        return Users.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Users()
    except OSError as error:
        raise DamagedUsersError(f"cannot read {path} (see --data-dir): {error.strerror or error}") from error
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the whole"
        raise DamagedUsersError(
            f"{path} is damaged ({where}: {wrong['msg']}): fix it, restore it or move it away"
        ) from None


def _signature(path: str) -> Signature:
    try:
        found = os.stat(path)  # noqa: PTH116 - on every request, and Path doubles the time
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
