"""Values in error messages."""

from __future__ import annotations

_SHOWN = 80


def printable(text: str) -> str:
    """Replace what is not for reading, such as line ends and characters that steer a terminal, by spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def shown(value: object) -> str:
    """Show a value in a message, shortened and in one line."""
    try:
        text = " ".join(repr(value).split("\n"))
    except Exception:  # noqa: BLE001 - such as the limit on digits; an error message must not end in another error
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
