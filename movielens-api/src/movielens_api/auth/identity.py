"""The user of a request, and how credentials are sent."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Role = Literal["read", "write"]
ROLES: tuple[Role, ...] = ("read", "write")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAME_RULE = "1 to 64 letters (a to z), digits and . _ @ -, the first a letter or digit"


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
    return frozenset(ROLES[: ROLES.index(role) + 1])


CHALLENGES = 'Basic realm="movielens-api", charset="UTF-8", Bearer realm="movielens-api"'


def parse_basic(header: bytes) -> tuple[bytes, bytes] | None:
    """Return user and password, or None if the header is not valid HTTP Basic.

    FastAPI's ``HTTPBasic`` decodes as ASCII, so a password such as "größe" could never log in.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


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
