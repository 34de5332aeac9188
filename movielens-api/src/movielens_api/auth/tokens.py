"""Bearer tokens: generated at random, shown once, stored as their SHA-256.

A token has 256 random bits, which nobody can guess, so a slow hash would not add security. Looking up a token by its
SHA-256 in a dict leaks at most the position of that hash, which leads to no token.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import AwareDatetime, BaseModel, Field

from movielens_api.auth.credentials import NAME, Role

_PREFIX = "mlapi_"  # so that secret scanners recognise a token


class Token(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """A stored token.

    Attributes:
        name: The name of the token, unique for its user.
        sha256: The SHA-256 of the whole token, as hexadecimal digits.
        role: What the token may do, as long as its user may.
        created: When it was created.
        expires: When it expires, if ever.
    """

    name: str = Field(pattern=f"^{NAME.pattern}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    role: Role
    created: AwareDatetime
    expires: AwareDatetime | None = None

    def is_valid(self) -> bool:
        """Return whether the token has not expired."""
        return self.expires is None or datetime.now(UTC) < self.expires


def generate() -> str:
    """Return a new random token."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_token(token: bytes) -> str:
    """Return a token as it is stored."""
    return sha256(token).hexdigest()
