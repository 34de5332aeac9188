"""The folder of models and of the events that say which one is the champion; see ``docs/model-format.md``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError
from movielens_api.system.json_values import parse_json

if TYPE_CHECKING:
    from pathlib import Path

_HISTORY = "history"
_MODELS = "models"
_EVENT = re.compile(r"[0-9]{8}\.json", re.ASCII)
_VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}", re.ASCII)


class UnusableRegistryError(Exception):
    """The newest event of a registry cannot be read; the message says why, without its folder."""


def champion_of(folder: Path) -> str | None:
    """Return the version of the champion, or None if there is none yet.

    Args:
        folder: The folder of the registry. It need not exist: the first registered model creates it.

    Raises:
        UnusableRegistryError: The newest event cannot be read.
    """
    name = None
    try:
        name = _newest_event(folder)
        champion = parse_json((folder / _HISTORY / name).read_bytes())["champion"] if name else None
    except (OSError, ValueError, LookupError, TypeError) as error:
        place = f"{_HISTORY}/{name}" if name else _HISTORY
        raise UnusableRegistryError(f"{place} of the registry cannot be read ({reason_of(error)})") from error
    if champion is not None and not (isinstance(champion, str) and _VERSION.fullmatch(champion)):
        raise UnusableRegistryError(f"{_HISTORY}/{name} of the registry names no version of a model as the champion")
    return champion


def summary(folder: Path) -> str:
    """Return a line about the champion of a registry.

    Raises:
        StartupError: The path is a file.
    """
    if folder.is_file():
        raise StartupError(f"--recommendations {folder} is a file: pass the folder of a model registry")
    try:
        champion = champion_of(folder)
    except UnusableRegistryError as error:
        return f"No recommendations: {error}."
    return f"Recommendations by model {champion}." if champion else "No recommendations: the registry has no champion."


def path_of(folder: Path, version: str) -> Path:
    """Return the path of a model's file."""
    return folder / _MODELS / f"{version}.npz"


def reason_of(error: Exception) -> str:
    """Return what went wrong, without the folder."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _newest_event(folder: Path) -> str | None:
    try:
        with os.scandir(folder / _HISTORY) as entries:
            return max((entry.name for entry in entries if _EVENT.fullmatch(entry.name)), default=None)
    except FileNotFoundError:
        return None
