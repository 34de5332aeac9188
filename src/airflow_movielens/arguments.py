"""Arguments that may come out of a template."""

from __future__ import annotations

from typing import Any

from airflow_movielens.client import FatalError


def whole_number(name: str, value: Any) -> int:
    """Read a whole number of at least 1 that may have come out of a template as text.

    Raises:
        FatalError: It is none.
    """
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FatalError(f"{name} is {value!r}: give a whole number of at least 1")
    return value
