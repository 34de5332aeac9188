"""The file of the users: read when it changes, replaced as a whole."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from movielens_api.auth.users import Users
from movielens_api.errors import DamagedUsersError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "users.json"
Signature = tuple[int, int, int] | None
log = logging.getLogger(__name__)


class UsersFile:
    """`users.json` in a folder: who may use the server, in a file that only its owner can read.

    Attributes:
        path: the file; without it there are no users.

    Raises:
        DamagedUsersError: the file cannot be read or holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file = str(self.path)
        self._signature = _signature(self._file)
        self._users = read(self.path)

    def current(self) -> Users:
        """Return the users as they are now: the same object as long as nothing changed.

        A file that was damaged meanwhile leaves the users as they were and is logged once.
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
        """Replace the file as a whole, with no other edit in between; what a crash leaves is the old or the new.

        Args:
            change: takes the users and returns new ones, quickly.

        Raises:
            UserError: from `change`, or the file cannot be written.
            DamagedUsersError: the file cannot be read.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path.with_suffix(".lock")):
                changed = change(read(self.path))
                _replace(self.path, changed.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path} (see --data-dir): {error.strerror or error}") from error
        return changed


def read(path: Path) -> Users:
    """Return the users in a file, none if it is missing.

    Raises:
        DamagedUsersError: it cannot be read, or holds something else; the message quotes nothing of it.
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
            f"{path} is damaged ({where}: {wrong['msg']}): mend it, restore it or move it away"
        ) from None


def _signature(path: str) -> Signature:
    try:
        found = os.stat(path)  # noqa: PTH116 - on every request, and Path doubles the time
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(path: Path, text: str) -> None:
    # Always the same name, so that a crash leaves at most one such file, which the next edit overwrites.
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is in here."""
    with open(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "rb") as file:  # noqa: PTH123
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
