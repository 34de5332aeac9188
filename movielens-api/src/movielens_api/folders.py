"""Where this program keeps things of its user."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "movielens-api"


def for_data(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return where this platform keeps what cannot be fetched or computed again."""
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / NAME
    # The standard of these variables says that a relative path is to be ignored.
    given = Path(environ.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "share") / NAME
