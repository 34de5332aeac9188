"""Hiding of passwords and tokens that clients send in the target of a request, before it is logged."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
# Parts of names, in lower case, and what may follow until the value: `access_token=`, `user[password]=`, `"apikey":`.
_SECRET = re.compile(
    r"(?:token|pass|pwd|secret|auth|signature|credential|bearer|jwt|session|apikey|(?<![a-z])(?:pw|key|sig)(?![a-z]))"
    r"[\w.\-+\[\]\"' ]*[=:]"
)
# Each of what `_SECRET` finds has one of these words, for which it is faster to look first.
_WORDS = ("token", "pass", "pw", "secret", "auth", "sig", "credential", "bearer", "jwt", "session", "key")
_SEPARATOR = re.compile(r"([&?])")
# A name may be percent-encoded more than once.
_MAX_ROUNDS = 4


def without_secrets(target: str) -> str:
    """Return a path or query in which the values of parameters that usually are secret are replaced by ``***``.

    A value that contains such a parameter, such as a URL, is replaced as a whole.

    Args:
        target: A path or query, percent-encoded or not.
    """
    if not _has_secret(target):
        return target
    return "".join(map(_masked, _SEPARATOR.split(target)))


def _masked(piece: str) -> str:
    if not _has_secret(piece):
        return piece
    name, equals, _ = piece.partition("=")
    return f"{name}={HIDDEN}" if equals and not _has_secret(name) else HIDDEN


def _has_secret(text: str) -> bool:
    for _ in range(_MAX_ROUNDS):
        lowered = text.lower()
        if any(word in lowered for word in _WORDS) and _SECRET.search(lowered):
            return True
        if "%" not in text:
            return False
        text = unquote(text)
    return False
