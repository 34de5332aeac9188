"""Waiting: for a condition, while every process must stay alive, the user may interrupt, and time runs out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from demo.failure import DemoError, Interrupted, UnansweredError
from demo.interruption import Interruption
from demo.processes import Component, stop

Found = TypeVar("Found")
POLL_SECONDS = 0.2


class Watch:
    """Looks after the running processes.

    Args:
        interruption: Says when the user wants to stop.
        timeout: Seconds until everything must be done.
    """

    def __init__(self, interruption: Interruption, timeout: float) -> None:
        self.components: list[Component] = []
        self._interruption = interruption
        self._timeout = timeout
        self._started = time.monotonic()

    def until(self, what: str, condition: Callable[[], Found | None]) -> Found:
        """Return the first value of the condition that is true."""
        while True:
            self.check(what)
            with contextlib.suppress(UnansweredError):  # the next check says if it has died
                if found := condition():
                    return found
            time.sleep(POLL_SECONDS)

    def until_interrupted(self, restart: Callable[[Component], None]) -> None:
        """Watch the processes, however long it takes, until the user has had enough; restart those that end."""
        with contextlib.suppress(Interrupted):
            while True:
                self._interruption.check()
                for component in [component for component in self.components if component.has_failed]:
                    self.components.remove(component)
                    restart(component)
                time.sleep(POLL_SECONDS)

    def until_ended(self, component: Component) -> None:
        """Wait for a process that does its work and ends."""
        self.until(component.name, lambda: component.exit_code == 0)

    def check(self, what: str) -> None:
        """Raise if there is no point in waiting any longer."""
        self._interruption.check()
        for component in self.components:
            component.check_running()
        if time.monotonic() - self._started > self._timeout:
            raise DemoError(f"Gave up after {self._timeout:.0f} s while waiting for {what}.")

    def stop(self, *, last: Collection[str]) -> None:
        """Stop every process, the named ones after those that may still call them."""
        stop([component for component in self.components if component.name not in last])
        stop([component for component in self.components if component.name in last])
        self.components.clear()
