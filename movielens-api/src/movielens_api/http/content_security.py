"""What a browser may load for a page: nothing but what the page names (Content Security Policy, level 3)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def headers(**sources: Iterable[str]) -> dict[str, str]:
    """Return the headers of an HTML page.

    Args:
        sources: where from, by kind: `script_src=["'self'"]` and the like. Kinds that are not named come from nowhere.
    """
    closed = {kind: ["'none'"] for kind in ("default_src", "base_uri", "form_action", "frame_ancestors")}
    policy = {**closed, **sources}
    return {
        "Content-Security-Policy": "; ".join(
            f"{kind.replace('_', '-')} {' '.join(allowed)}" for kind, allowed in policy.items()
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def inline(text: str) -> str:
    """Return the source that allows just this text between `<script>` or `<style>` and its end."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
