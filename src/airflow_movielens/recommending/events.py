"""The events of a registry: what was done with which model, when, by whom and why."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.messages import printable, shown

if TYPE_CHECKING:
    from pathlib import Path

Action = Literal["register", "promote", "refuse", "rollback"]

VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
"""The form of a version: the time of registration, and the start of the file's SHA-256."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Aliases:
    """The versions that the aliases of a registry stand for, or None.

    Attributes:
        champion: The model that is served.
        challenger: The model that was registered last and has not been promoted.
        previous: The champion before the current one.
    """

    champion: str | None = None
    challenger: str | None = None
    previous: str | None = None


@dataclass(frozen=True)
class Event:
    """One event, with the aliases after it.

    Attributes:
        number: Its number, from 1.
        at: Its time: a UTC second, such as ``2026-11-29T02:00:00Z``.
        action: What was done.
        model: The version that it was done with; for a rollback, the version that is the champion again.
        by: Who did it.
        reason: Why.
        figures: The figures that it was decided by; may be empty.
        champion: The champion afterwards.
        challenger: The challenger afterwards.
        previous: The previous champion afterwards.
    """

    number: int
    at: str
    action: Action
    model: str
    by: str
    reason: str
    figures: dict[str, Any]
    champion: str | None
    challenger: str | None
    previous: str | None

    @property
    def aliases(self) -> Aliases:
        """The aliases after the event."""
        return Aliases(self.champion, self.challenger, self.previous)

    def to_json(self) -> str:
        """Return the content of the event's file.

        Raises:
            ValueError: A figure is no number, or is not finite.
        """
        try:
            return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise ValueError(f"figures cannot be written as JSON: {error}") from error


def event_file(folder: Path, number: int) -> Path:
    """Return the path of an event."""
    return folder / f"{number:08}.json"


def last_number(folder: Path) -> int:
    """Return the number of the last event in a folder, or 0."""
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return max((int(name[:8]) for name in names if re.fullmatch(r"\d{8}\.json", name)), default=0)


def read_event(folder: Path, number: int) -> Event:
    """Read an event.

    Raises:
        ValueError: It is missing or damaged, is no event, or is from a newer version.
    """
    path = event_file(folder, number)
    try:
        values = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: restore the folder of the registry from a backup") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({printable(str(error))}): restore it from a backup") from error
    names = [field.name for field in fields(Event)]
    if not isinstance(values, dict) or not set(names) <= values.keys():
        raise ValueError(f"{path} is no event of a registry of models: remove it, or restore it from a backup")
    if isinstance(values["action"], str) and values["action"] not in get_args(Action):
        raise ValueError(
            f"{path} has the action {shown(values['action'])}, which this version of airflow-movielens does not know: "
            "install a later one"
        )
    event = Event(**{name: values[name] for name in names})
    if wrong := [name for name in names if not _is_right(name, values[name])] or ["number"] * (event.number != number):
        raise ValueError(f"{path} is damaged (wrong {', '.join(wrong)}): restore it from a backup")
    return event


def _is_right(name: str, value: object) -> bool:
    """Return whether a field of an event has a value that it may have."""
    match name:
        case "number":
            return type(value) is int
        case "figures":
            return isinstance(value, dict)
        case "at":
            return isinstance(value, str) and _TIME.fullmatch(value) is not None
        case "model":
            return isinstance(value, str) and VERSION.fullmatch(value) is not None
        case "champion" | "challenger" | "previous":
            return value is None or _is_right("model", value)
        case _:
            return isinstance(value, str)
