"""No planted password or token is written anywhere, in any encoding."""

from __future__ import annotations

import gzip
from base64 import b64encode
from pathlib import Path

from unit.secret_forms import FORMS

from tests.campaign.checks.evidence import Evidence

_IGNORED = {"tokens.json", "tls"}
"""What the campaign itself needs to be continued: the tokens, and the server's key."""
_LONG_SEPARATORS = (rb"\n", rb"\r", rb"\t", "\u200b".encode())
_SEPARATORS = bytes([*range(33), 127]) + b"+-"
_LOWER_CASE = bytes(range(256)).lower().replace(b"_", b"/")


def check(evidence: Evidence) -> list[str]:
    """Search all files of the campaign."""
    secrets = evidence.plan.secrets(evidence.tokens)
    needles = {name: _needles(secret) for name, secret in secrets.items()}
    faults: list[str] = []
    seen: set[int] = set()
    for path in sorted(evidence.folder.rglob("*")):
        place, inode = path.relative_to(evidence.folder), path.stat().st_ino
        if not path.is_file() or place.parts[0] in _IGNORED or inode in seen:
            continue
        seen.add(inode)
        content = _comparable(_unpacked(path))
        for name, forms in needles.items():
            form = next((form for needle, form in forms.items() if needle in content), None)
            faults += [f"{place} holds the secret of {name} ({form})"] if form else []
    return faults


def _needles(secret: str) -> dict[bytes, str]:
    """Return the forms of a secret as they are compared, each with its name."""
    forms = {name: written(secret) for name, written in FORMS.items()} | {"reversed": secret[::-1]}
    for before in range(3):
        # The digits that do not depend on what is encoded before and after, such as the name of the user.
        first, last = -(-8 * before // 6), 8 * (before + len(secret.encode())) // 6
        forms[f"base64 {before}"] = b64encode(bytes(before) + secret.encode()).decode()[first:last]
    return {_comparable(written.encode()): name for name, written in forms.items()}


def _comparable(content: bytes) -> bytes:
    """Return content in lower case, and without what separates characters."""
    for separator in _LONG_SEPARATORS:
        content = content.replace(separator, b"")
    return content.translate(_LOWER_CASE, _SEPARATORS)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        return gzip.decompress(content) if path.name.endswith(".gz") else content
    except (OSError, EOFError):
        return content
