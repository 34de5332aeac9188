"""A password or token that is not shown by accident: not in a traceback with local variables, nor in a dictionary."""

from __future__ import annotations

HIDDEN = "***"


class Secret:
    """A password or token. Two are equal if their values are.

    Args:
        value: The password or token.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """Return a secret for text; a secret or None as it is."""
        return cls(value) if isinstance(value, str) else value

    def reveal(self) -> str:
        """Return the password or token itself."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)


def reveal(secret: str | Secret | None) -> str:
    """Return the password or token; empty for None."""
    return secret.reveal() if isinstance(secret, Secret) else secret or ""


class HiddenText(str):
    """Text that is sent as it is, but is not shown as an element of a dictionary or list, such as that of headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)
