"""Users with their roles and tokens. Each change returns new users and leaves the old ones unchanged."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from movielens_api.auth import passwords, tokens
from movielens_api.auth.identity import NAME, NAME_RULE, Identity, Role, implied_roles
from movielens_api.auth.tokens import Token
from movielens_api.errors import UserError


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
