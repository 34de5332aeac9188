"""Stack traces of a process that hangs, on standard error: where each of its threads is.

They have the names of files and functions, but no values.
"""

from __future__ import annotations

import faulthandler
import signal
import sys

_STANDARD_ERROR = 2


def show_on_signal() -> None:
    """Write the traces whenever this process gets SIGUSR1. It continues."""
    if sys.platform != "win32":
        faulthandler.register(signal.SIGUSR1, file=_STANDARD_ERROR, all_threads=True)


def show_after(seconds: float) -> None:
    """Write the traces once if this is not called again in time.

    Args:
        seconds: How long the event loop may be blocked.
    """
    faulthandler.dump_traceback_later(seconds, file=_STANDARD_ERROR)


def show_no_more() -> None:
    """Undo ``show_after``."""
    faulthandler.cancel_dump_traceback_later()
