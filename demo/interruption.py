"""Ctrl-C and SIGTERM, noticed between two steps instead of in the middle of one.

An exception raised by a signal handler could strike between the start of a process and the note to stop it.
"""

from __future__ import annotations

import signal
from types import FrameType

from demo.failure import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Remembers a signal until the stack is at a place where it may stop."""

    def __init__(self) -> None:
        self._signal_number: int | None = None

    def install(self) -> None:
        """Handle the signals from now on; also those that come while the stack stops."""
        for signal_number in SIGNALS:
            signal.signal(signal_number, self._remember)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._signal_number is not None:
            raise Interrupted(self._signal_number)

    def _remember(self, signal_number: int, _frame: FrameType | None) -> None:
        self._signal_number = signal_number
