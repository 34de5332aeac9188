"""Where things are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping


def durable(data_dir: Path | None, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return where to keep what nobody can fetch or compute again.

    Args:
        data_dir: the folder that was asked for, if any.
        environ: the environment.
        platform: the operating system, as `sys.platform` names it.

    Raises:
        StartupError: it depends on the home directory, and there is none.
    """
    if data_dir is not None:
        return data_dir
    if platform == "darwin":
        return home() / "Library" / "Application Support" / "movielens-api"
    # The standard of these variables says that a relative path is to be ignored.
    given = Path(environ.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else home() / ".local" / "share") / "movielens-api"


def home() -> Path:
    """Return the user's home directory.

    Raises:
        StartupError: there is none, as in a container whose user has no name.
    """
    try:
        found = Path.home()
    except RuntimeError:
        found = Path()
    # An empty HOME is no home directory, though Python takes it for the root.
    if not found.is_absolute() or os.environ.get("HOME", found) == "":
        raise StartupError("there is no home directory to keep files in: set HOME, or give --data-dir")
    return found
