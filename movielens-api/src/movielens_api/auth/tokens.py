"""Bearer tokens: made by chance, shown once, kept as their SHA-256.

A token has 256 random bits. Nobody tries that many, however fast the hash, so a slow one would only slow us down.
Finding a token by its SHA-256 in a dict tells by its time at most where that hash lies, which leads to no token.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import AwareDatetime, BaseModel, Field

from movielens_api.auth.identity import NAME, Role

PREFIX = "mlapi_"  # so that programs that look for leaked secrets recognise one


class Token(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """What is kept of a token.

    Attributes:
        name: what it is for, unique for its user.
        sha256: of the whole token, as hexadecimal digits.
        role: it may do this as long as its user may.
        created: when it was made.
        expires: when it ends, if ever.
    """

    name: str = Field(pattern=f"^{NAME.pattern}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    role: Role
    created: AwareDatetime
    expires: AwareDatetime | None = None

    def is_valid(self) -> bool:
        """Tell whether it has not ended yet."""
        return self.expires is None or datetime.now(UTC) < self.expires


def generate() -> str:
    """Return a token nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_token(token: bytes) -> str:
    """Return what is kept of a token."""
    return sha256(token).hexdigest()
