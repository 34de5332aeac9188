"""Where things are kept."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def durable(data_dir: Path | None, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return where to keep what nobody can fetch or compute again.

    Args:
        data_dir: the folder that was asked for, if any.
        environ: the environment.
        platform: the operating system, as `sys.platform` names it.
    """
    if data_dir is not None:
        return data_dir
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "movielens-api"
    # The standard of these variables says that a relative path is to be ignored.
    given = Path(environ.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "share") / "movielens-api"
