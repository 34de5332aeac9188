"""Warnings about requests that take long, while they run, because the access log has a request only when it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Running:
    """A request in flight.

    Attributes:
        describe: Returns the request and what was sent so far, in words.
        began: When it began, by the monotonic clock.
        is_slow: Whether there was a warning.
    """

    describe: Callable[[], str]
    began: float = field(default_factory=time.monotonic)
    is_slow: bool = False

    @property
    def seconds(self) -> float:
        """For how many seconds it has been running."""
        return time.monotonic() - self.began


class SlowRequests:
    """The requests in flight. Each that takes long is logged once while it runs, and again when it ends.

    Args:
        seconds: How long a request may take before it is logged.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Running, None] = {}  # in the order in which they began
        self._timer: asyncio.TimerHandle | None = None

    def began(self, describe: Callable[[], str]) -> Running:
        """Add a request. Call it from within the event loop.

        Args:
            describe: See ``Running``.
        """
        running = Running(describe)
        self._running[running] = None
        if not self._timer:
            self._wait()
        return running

    def ended(self, running: Running) -> None:
        """Remove a request."""
        del self._running[running]
        if running.is_slow:
            log.warning("a slow request ended after %.0f seconds: %s", running.seconds, running.describe())

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 10, self._look)

    def _look(self) -> None:
        self._timer = None
        for running in self._running:
            if running.seconds < self._seconds:
                break
            if not running.is_slow:
                running.is_slow = True
                log.warning("a slow request is running for %.0f seconds: %s", running.seconds, running.describe())
        if self._running:
            self._wait()
