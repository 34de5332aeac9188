"""Passwords: which ones are accepted, and how they are stored, with scrypt (RFC 7914)."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import scrypt
from unicodedata import category

from movielens_api.auth.credentials import DEFAULT
from movielens_api.errors import UserError

_SHORTEST = 8  # NIST SP 800-63B; with `login_throttle`, guessing takes centuries
_LONGEST = 1024
_SALT_BYTES, _HASH_BYTES = 16, 32
_STORED = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})")


@dataclass(frozen=True)
class Cost:
    """The cost of a guess. The default is OWASP's recommendation for 32 MiB: a quarter of a second on one core.

    Attributes:
        ln: The binary logarithm of the work, and of the memory in blocks.
        r: The size of a block in units of 128 bytes.
        p: How often the work is repeated.
    """

    ln: int = 15
    r: int = 8
    p: int = 3

    def hash(self, password: bytes, salt: bytes) -> bytes:
        """Return the hash. It is slow, and releases the interpreter's lock."""
        needed = 128 * self.r * (2**self.ln + self.p + 2)
        return scrypt(password, salt=salt, n=2**self.ln, r=self.r, p=self.p, maxmem=needed, dklen=_HASH_BYTES)


def check_strength(password: str, user: str) -> None:
    """Refuse passwords that are easy to guess or that HTTP Basic cannot send.

    Raises:
        UserError: The password is too short or too long, contains control characters, or equals the default password or
            the user's name.
    """
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise UserError(f"a password must have {_SHORTEST} to {_LONGEST:,} characters")
    if any(category(character) in {"Cc", "Cs"} for character in password):
        raise UserError("a password must be UTF-8 without control characters")
    if password in {DEFAULT.password, user}:
        raise UserError("a password must differ from the default password and from the name of the user")


def hash_password(password: str, cost: Cost | None = None) -> str:
    """Return a password as it is stored: a PHC string with algorithm, cost, salt and hash."""
    cost = cost or Cost()
    salt = secrets.token_bytes(_SALT_BYTES)
    return _format(cost, salt, cost.hash(password.encode(), salt))


def decoy_hash() -> str:
    """Return a hash that no password matches, and that takes as long to verify as that of an existing user."""
    return _format(Cost(), secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_HASH_BYTES))


def verify(password: bytes, stored: str) -> bool:
    """Return whether a password matches a stored hash, in the same time either way.

    Raises:
        ValueError: ``stored`` is not in the format of ``hash_password``.
    """
    cost, salt, expected = parse_hash(stored)
    return hmac.compare_digest(cost.hash(password, salt), expected)


def parse_hash(stored: str) -> tuple[Cost, bytes, bytes]:
    """Return cost, salt and hash of a stored password.

    Raises:
        ValueError: ``stored`` is not in the format of ``hash_password``, or its cost is too high for a server.
    """
    found = _STORED.fullmatch(stored)
    cost = Cost(*map(int, found.groups()[:3])) if found else None
    if not found or not cost or not (1 <= cost.ln <= 20 and 1 <= cost.r <= 16 and 1 <= cost.p <= 16):  # noqa: PLR2004
        raise ValueError("not a password as this program stores it")
    return cost, b64decode(found[4] + "=="), b64decode(found[5] + "=")


def _format(cost: Cost, salt: bytes, digest: bytes) -> str:
    encoded = [b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    return f"$scrypt$ln={cost.ln},r={cost.r},p={cost.p}${encoded[0]}${encoded[1]}"
