"""Signals that stop a server."""

from __future__ import annotations

import signal


def hangup() -> list[signal.Signals]:
    """Return SIGHUP, which a process gets when its terminal is closed, unless it is ignored, as ``nohup`` demands."""
    number = getattr(signal, "SIGHUP", None)  # Windows has none
    return [number] if number and signal.getsignal(number) is not signal.SIG_IGN else []
