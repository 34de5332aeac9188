"""The user's directories for caches and for data, by the conventions of the platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

_APPLICATION = "movielens-api"


def cache_directory(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the directory for files that can be downloaded or computed again.

    Args:
        environ: The environment.
        platform: The operating system, as ``sys.platform`` names it.

    Raises:
        StartupError: The directory depends on the home directory, and the user has none.
    """
    if platform == "darwin":
        return home_directory() / "Library" / "Caches" / _APPLICATION
    return _xdg_directory(environ, "XDG_CACHE_HOME", ".cache")


def data_directory(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the directory for files that cannot be downloaded or computed again.

    Args:
        environ: The environment.
        platform: The operating system, as ``sys.platform`` names it.

    Raises:
        StartupError: The directory depends on the home directory, and the user has none.
    """
    if platform == "darwin":
        return home_directory() / "Library" / "Application Support" / _APPLICATION
    return _xdg_directory(environ, "XDG_DATA_HOME", ".local/share")


def home_directory() -> Path:
    """Return the user's home directory.

    Raises:
        StartupError: The user has no home directory, as in a container whose user has no name.
    """
    try:
        found = Path.home()
    except RuntimeError:
        found = Path()
    # Python takes an empty HOME for the root directory.
    if not found.is_absolute() or os.environ.get("HOME", found) == "":
        raise StartupError("there is no home directory to keep files in: set HOME or pass --data-dir")
    return found


def _xdg_directory(environ: Mapping[str, str], variable: str, default: str) -> Path:
    # The XDG specification says that relative paths are to be ignored.
    given = Path(environ.get(variable, ""))
    return (given if given.is_absolute() else home_directory() / default) / _APPLICATION
