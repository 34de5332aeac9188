"""The end of a shutdown: a process that does not finish in time is ended."""

from __future__ import annotations

import logging
import os
import threading

log = logging.getLogger(__name__)
# As after an unexpected error: something did not finish, and the next start checks what it left.
_STATUS = 1


def end_after(seconds: float) -> None:
    """End this process after a time, whatever it is doing then. Call it when a shutdown begins.

    A thread cannot be cancelled, and Python waits for all threads before it exits. Acknowledged ratings are on the disk
    at any time, so nothing is lost.

    Args:
        seconds: How long the shutdown may take.
    """
    timer = threading.Timer(seconds, _end, [seconds])
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    log.error("the shutdown was not finished after %.0f seconds: ending the process", seconds)
    os._exit(_STATUS)
