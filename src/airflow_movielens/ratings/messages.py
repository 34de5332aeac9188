"""Values in error messages, made safe to print."""

from __future__ import annotations

_SHOWN = 80


def printable(text: str) -> str:
    """Return text with unprintable characters, such as line ends and terminal control characters, as spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def shown(value: object) -> str:
    """Return a value for a message, shortened and on one line."""
    try:
        text = " ".join(repr(value).split("\n"))
    except Exception:  # noqa: BLE001 - such as the limit on digits; an error message must not end in another error
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
