"""The server log: warnings and errors on standard error, in a limited number, so that they cannot fill a disk."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from movielens_api.system.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable

# Of each kind of line.
_RATE = Rate(interval=1, burst=10)
Place = tuple[str, int]


@dataclass
class Kind:
    """The lines of one kind: from one place in the code and, if they have a traceback, of an error at one place.

    Attributes:
        arrival: The state of ``Rate``.
        left_out: The number of lines that were left out and not yet reported.
        example: The last of them.
    """

    arrival: float = 0
    left_out: int = 0
    example: logging.LogRecord | None = None


class LimitedHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler that writes ten lines of a kind at once, then one per second. It reports how many others there were.

    Args:
        stream: Where to write. By default, standard error.
        clock: Returns the time in seconds, by a monotonic clock.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._kinds: dict[tuple[Place, ...], Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or leave it out."""
        kind = self._kinds.setdefault(_places(record), Kind())
        now = self._clock()
        if _RATE.wait(kind.arrival, now):
            kind.left_out += 1
            kind.example = record
            return
        kind.arrival = _RATE.after(kind.arrival, now)
        self._report(kind)
        super().emit(record)

    def close(self) -> None:
        """Report what was left out at the end."""
        for kind in self._kinds.values():
            self._report(kind)
        super().close()

    def _report(self, kind: Kind) -> None:
        if not kind.example:
            return
        last, number = kind.example, kind.left_out
        kind.example, kind.left_out = None, 0
        message = f"left out {number} such lines, the last of which was: {last.getMessage()}"
        super().emit(logging.LogRecord(last.name, last.levelno, last.pathname, last.lineno, message, None, None))


def _places(record: logging.LogRecord) -> tuple[Place, ...]:
    # Not the message, which a client can vary.
    here = (record.pathname, record.lineno)
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return (here,)
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return here, (trace.tb_frame.f_code.co_filename if trace else "", trace.tb_lineno if trace else 0)


def configure() -> None:
    """Send warnings and errors of this process to standard error, with the time in UTC."""
    handler = LimitedHandler()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
