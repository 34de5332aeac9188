"""Progress of a run, which takes minutes."""

from __future__ import annotations

import time

BEGAN = time.monotonic()


def say(what: str) -> None:
    """Print a line with the minutes since the start."""
    minutes, seconds = divmod(int(time.monotonic() - BEGAN), 60)
    print(f"{minutes:02}:{seconds:02} {what}", flush=True)
