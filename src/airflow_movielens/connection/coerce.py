"""Values that may arrive as text: from a template, a connection's extra, or the environment."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from airflow_movielens.client import FatalError
from airflow_movielens.client.secret import Secret
from airflow_movielens.ratings.messages import shown

_LARGEST = 2**63 - 1
_MAX_DIGITS = 100
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def paths_as_text(value: Any) -> Any:
    """Return paths as text, also inside lists and dicts, because Airflow renders templates only in text."""
    if isinstance(value, PurePath):
        # An ObjectStoragePath would lose its connection; Airflow renders its templates.
        return value if hasattr(value, "protocol") else str(value)
    if type(value) in (list, tuple):
        return type(value)(paths_as_text(item) for item in value)
    if type(value) is dict:
        return {key: paths_as_text(item) for key, item in value.items()}
    return value


def whole_number(name: str, value: Any) -> int:
    """Read a whole number of at least 1 that fits into 64 bits.

    Raises:
        FatalError: The value is not such a number.
    """
    read = value
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= _MAX_DIGITS:
        read = int(value)
    if isinstance(read, bool) or not isinstance(read, int) or not 1 <= read <= _LARGEST:
        raise FatalError(f"{name} is {shown(value)}: give a whole number of at least 1, below 2^63")
    return read


def number(name: str, value: Any) -> float:
    """Read a number above 0, such as seconds.

    Raises:
        FatalError: The value is not such a number.
    """
    try:
        read = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        read = 0.0
    if not 0 < read < float("inf"):
        raise FatalError(f"{name} is {shown(value)}: give a number above 0")
    return read


def truth(name: str, value: Any) -> bool:
    """Read ``true`` or ``false``.

    Raises:
        FatalError: The value is neither.
    """
    read = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
    if read is None:
        raise FatalError(f"{name} is {shown(value)}: give true or false")
    return read


def text(name: str, value: Any) -> str:
    """Read text, or digits that JSON or a URI turned into a whole number.

    Raises:
        FatalError: The value is neither. The message does not repeat it, because it may be secret.
    """
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise FatalError(f"{name} is not text but {type(value).__name__}: give it in quotes")
    return value


def secret(name: str, value: Any) -> Secret:
    """Read a password or token, as `text` does.

    Raises:
        FatalError: The value is not text.
    """
    return value if isinstance(value, Secret) else Secret(text(name, value))


def connection_id(value: Any) -> str:
    """Read the id of an Airflow connection.

    Raises:
        FatalError: The value is not text, or is empty.
    """
    if not isinstance(value, str) or not value.strip():
        wrong = shown(value)
        raise FatalError(f"conn_id is {wrong}: give the id of an Airflow connection, such as 'movielens_default'")
    return value
