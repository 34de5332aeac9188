"""Users with their roles and tokens, and the file that keeps them: read again when it changes, replaced as a whole."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from movielens_api.auth import passwords, tokens
from movielens_api.auth.credentials import NAME, NAME_RULE, Identity, Role, implied_roles
from movielens_api.auth.tokens import Token
from movielens_api.errors import DamagedUsersError, UserError
from movielens_api.system import private_files
from movielens_api.system.atomic_files import replace_file
from movielens_api.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FILE_NAME = "users.json"
_LONGEST_KEY = 80
Signature = tuple[int, int, int] | None
log = logging.getLogger(__name__)


def _stored(password: str) -> str:
    passwords.parse_hash(password)
    return password


class User(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """A user.

    Attributes:
        role: What the user may do.
        password: The result of ``passwords.hash_password``.
        created: When the user was added.
        tokens: The tokens of the user's programs.
    """

    role: Role
    password: Annotated[str, AfterValidator(_stored)] = Field(repr=False)
    created: AwareDatetime
    tokens: tuple[Token, ...] = ()


class Users(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """All users of a server, by name."""

    version: Literal[1] = 1
    users: dict[Annotated[str, Field(pattern=f"^{NAME.pattern}$")], User] = {}

    @cached_property
    def _holders(self) -> dict[str, tuple[Identity, Token]]:
        return {
            token.sha256: (Identity(name, implied_roles(token.role) & implied_roles(user.role)), token)
            for name, user in self.users.items()
            for token in user.tokens
        }

    def get_user(self, name: str) -> User:
        """Return a user.

        Raises:
            UserError: The user does not exist.
        """
        if name not in self.users:
            raise UserError(f"there is no user {name!r}; `movielens-api users list` shows all")
        return self.users[name]

    def find_by_token(self, token: bytes) -> Identity | None:
        """Return the user of a token and what both may do, or None if the token is unknown or expired."""
        identity, kept = self._holders.get(tokens.hash_token(token), (None, None))
        return identity if kept and kept.is_valid() else None

    def check_new(self, name: str) -> None:
        """Check that a user can be added.

        Raises:
            UserError: A user with this name exists, or the name is not allowed.
        """
        if not NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be a user's name: {NAME_RULE}")
        if name in self.users:
            raise UserError(f"the user {name!r} already exists; `users password` and `users role` change it")

    def add(self, name: str, role: Role, password: str) -> Users:
        """Add a user.

        Args:
            name: A name that follows ``NAME_RULE``.
            role: What the user may do.
            password: The result of ``passwords.hash_password``.

        Raises:
            UserError: A user with this name exists, or the name is not allowed.
        """
        self.check_new(name)
        return self._with(name, User(role=role, password=password, created=_now()))

    def remove(self, name: str) -> Users:
        """Remove a user with all tokens.

        Raises:
            UserError: The user does not exist.
        """
        self.get_user(name)
        return Users(users={other: user for other, user in self.users.items() if other != name})

    def change(self, name: str, **changes: object) -> Users:
        """Change the role or the password of a user.

        Raises:
            UserError: The user does not exist.
        """
        return self._with(name, self.get_user(name).model_copy(update=changes))

    def add_token(self, user: str, name: str, role: Role, secret: str, expires: datetime | None) -> Users:
        """Add a token to a user.

        Raises:
            UserError: The user does not exist, has a token with this name, or lacks the role of the token.
        """
        owner = self.get_user(user)
        if not NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be a token's name: {NAME_RULE}")
        if any(token.name == name for token in owner.tokens):
            raise UserError(f"{user} already has a token {name!r}; revoke it or choose another name")
        if role not in implied_roles(owner.role):
            raise UserError(f"{user} lacks the role {role}, so a token of this user cannot have it")
        digest = tokens.hash_token(secret.encode())
        token = Token(name=name, sha256=digest, role=role, created=_now(), expires=expires)
        return self.change(user, tokens=(*owner.tokens, token))

    def revoke(self, user: str, name: str) -> Users:
        """Remove a token of a user.

        Raises:
            UserError: The user or the token does not exist.
        """
        kept = tuple(token for token in self.get_user(user).tokens if token.name != name)
        if kept == self.get_user(user).tokens:
            raise UserError(f"{user} has no token {name!r}; `movielens-api tokens list` shows all")
        return self.change(user, tokens=kept)

    def _with(self, name: str, user: User) -> Users:
        return Users(users={**self.users, name: user})


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class UsersFile:
    """``users.json`` in a folder: the users of a server, in a file that only its owner can read.

    Attributes:
        path: The file. Without it, there are no users.
        is_lost: Whether the file had users and is gone, which removes no user in order: nobody can log in then, and
            the default user must not be accepted.

    Raises:
        DamagedUsersError: The file cannot be read, or contains something else.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE_NAME
        self._file = str(self.path)
        self._signature = _signature(self._file)
        self._users = read(self.path)
        self.is_lost = False

    def current(self) -> Users:
        """Return the current users: the same object as long as the file does not change.

        If the file becomes damaged, the previous users stay valid, and the error is logged once.
        """
        found = _signature(self._file)
        if found != self._signature:
            self._signature = found
            had_users = self.is_lost or bool(self._users.users)
            try:
                self._users = read(self.path)
            except DamagedUsersError as error:
                log.error("%s; the previous users stay valid", error)
            self.is_lost = had_users and found is None and not self._users.users
            if self.is_lost:
                log.error("%s is gone: nobody can log in with it until it is back", self.path)
            if warning := private_files.exposure(self.path):
                log.warning(warning)
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
            private_files.make_folder(self.path.parent)
            with closing(FileLock(self.path.with_suffix(".lock"))) as lock, lock:
                changed = change(read(self.path))
                with replace_file(self.path, temporary=self.path.with_suffix(".new")) as file:
                    file.write(changed.model_dump_json(indent=1).encode() + b"\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path} (see --data-dir): {error.strerror or error}") from error
        return changed


def read(path: Path) -> Users:
    """Return the users in a file, or no users if it does not exist.

    Raises:
        DamagedUsersError: The file cannot be read, or contains something else. The message quotes no value of it.
    """
    try:
        return Users.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Users()
    except OSError as error:
        raise DamagedUsersError(f"cannot read {path} (see --data-dir): {error.strerror or error}") from error
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(_step, wrong["loc"])) or "the whole"
        raise DamagedUsersError(
            f"{path} is damaged ({where}: {wrong['msg']}): fix it, restore it or move it away"
        ) from None


def _step(key: str | int) -> str:
    # A key of a damaged file may be anything.
    return key if isinstance(key, str) and NAME.fullmatch(key) else ascii(key)[:_LONGEST_KEY]


def _signature(path: str) -> Signature:
    try:
        found = os.stat(path)  # noqa: PTH116 - on every request, and Path doubles the time
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
