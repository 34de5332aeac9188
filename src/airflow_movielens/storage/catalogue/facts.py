"""The facts of a record that its readers compute with, checked when a catalogue is read."""

from __future__ import annotations

from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST = 2**63
_STARS = 10


def wrong_facts(facts: Mapping[str, Any]) -> list[str]:
    """Return the names of facts whose values cannot be what operators write."""
    return [
        name
        for name, value in facts.items()
        if value is not None and (is_right := _CHECKS.get(name)) is not None and not is_right(value)
    ]


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]


def _is_day(value: object) -> bool:
    try:
        return type(value) is str and date.fromisoformat(value) > date.min
    except ValueError:
        return False


def _is_first_day(value: object) -> bool:
    return value == str(date.min) or _is_day(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_histogram(value: object) -> bool:
    return isinstance(value, list) and len(value) == _STARS and all(map(_is_count, value))


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


_CHECKS: dict[str, Callable[[object], bool]] = {
    "start_date": _is_first_day,
    "end_date": _is_day,
    **dict.fromkeys(("days", "files", "min_ratings", "quarantined", "ratings", "rows", "users"), _is_count),
    **dict.fromkeys(("challenger", "method", "model", "reason", "registry", "sha256", "version"), _is_text),
    **dict.fromkeys(("input_folders", "sentences"), _are_texts),
    "fetch": _are_numbers,
    "histogram": _is_histogram,
}
