"""Credentials: how they are sent, the user whom they identify, and those with which a server starts."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, NamedTuple

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["read", "write"]
_ROLES: tuple[Role, ...] = ("read", "write")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAME_RULE = "1 to 64 letters (a to z), digits and . _ @ -, the first a letter or digit"
CHALLENGES = 'Basic realm="movielens-api", charset="UTF-8", Bearer realm="movielens-api"'


class Identity(NamedTuple):
    """The user who sent a request: ``scope["user"]`` inside the authentication middleware.

    Attributes:
        name: The name of the user.
        roles: What the user may do; see ``implied_roles``.
    """

    name: str
    roles: frozenset[Role]


def implied_roles(role: Role) -> frozenset[Role]:
    """Return a role and the roles that it includes: ``write`` includes ``read``."""
    return frozenset(_ROLES[: _ROLES.index(role) + 1])


def parse_basic(header: bytes) -> tuple[bytes, bytes] | None:
    """Return user and password, or None if the header is not valid HTTP Basic.

    Each pair has one valid encoding. The lenient ones that decoders accept, too, would be further logins to check.
    FastAPI's ``HTTPBasic`` decodes as ASCII, so a password such as "größe" could never log in.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        pair = b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = pair.partition(b":")
    return (user, password) if colon and b64encode(pair) == encoded.strip() else None


def parse_bearer(header: bytes) -> bytes | None:
    """Return the token, or None if the header uses another scheme."""
    scheme, _, token = header.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


@dataclass(frozen=True)
class Credentials:
    """A user with all permissions, whose password the process knows in plain text, so that nothing has to be hashed.

    Raises:
        ValueError: HTTP Basic cannot send the user name, because it is empty or contains a colon.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise ValueError("a user name is not empty and has no colon")

    def match(self, user: bytes, password: bytes) -> bool:
        """Return whether user and password are right, in a time that does not depend on how much of them is right."""
        same_user = hmac.compare_digest(user, self.user.encode(errors="surrogateescape"))
        same_password = hmac.compare_digest(password, self.password.encode(errors="surrogateescape"))
        return same_user & same_password


DEFAULT = Credentials("movielens", "movielens")


def read_credentials(user: str | None, password: str | None, environ: Mapping[str, str]) -> Credentials | None:
    """Return the user and password from the options or from ``API_USER`` and ``API_PASSWORD``, or None without either.

    Raises:
        StartupError: Only one of the two is given, or HTTP Basic cannot send the user name.
    """
    user = user or environ.get("API_USER")
    password = password or environ.get("API_PASSWORD")
    if not user and not password:
        return None
    if not user or not password:
        raise StartupError("user and password must be given together: set both API_USER and API_PASSWORD")
    try:
        return Credentials(user, password)
    except ValueError as error:
        raise StartupError(str(error)) from error


def choose_credentials(given: Credentials | None, host: str, *, has_users: bool) -> Credentials | None:
    """Return the given user or the default one, in addition to the users in the users file.

    On a public address, users in the file are enough. The default user is not accepted there, even if all users are
    removed later.

    Raises:
        StartupError: The default password would be accepted from other computers.
    """
    if given is None and has_users and not is_loopback(host):
        return None
    chosen = given or DEFAULT
    if chosen.password == DEFAULT.password and not is_loopback(host):
        raise StartupError(
            f"the default password is not allowed on {host}: set API_USER and API_PASSWORD, or add users"
        )
    return chosen


def is_loopback(host: str) -> bool:
    """Return whether a server on the host can be reached from this computer only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
