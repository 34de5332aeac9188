"""Waiting: for a condition, while every process stays alive, until the user interrupts or time runs out."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING, TypeVar

from demo.errors import DemoError, Interrupted, NoResponseError
from demo.processes import Component, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import FrameType

Found = TypeVar("Found")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A check is often a request to Airflow, whose API server would be busy with nothing else if it were sent all the time.
POLL_SECONDS = 0.4


class Interruption:
    """Ctrl-C or SIGTERM, remembered until the stack can stop safely.

    An exception raised by a signal handler could strike after the start of a process and before it is recorded.
    """

    def __init__(self) -> None:
        self._signal_number: int | None = None

    def install(self) -> None:
        """Handle the signals from now on, including those that arrive while the stack stops."""
        for signal_number in SIGNALS:
            signal.signal(signal_number, self._remember)

    def check(self) -> None:
        """Raise ``Interrupted`` if a signal has arrived."""
        if self._signal_number is not None:
            raise Interrupted(self._signal_number)

    def _remember(self, signal_number: int, _frame: FrameType | None) -> None:
        self._signal_number = signal_number


class Watch:
    """Watches the running processes.

    Args:
        interruption: Whether the user wants to stop.
        timeout: Seconds until everything must be done.
        poll_seconds: Seconds between two checks of a condition.
    """

    def __init__(self, interruption: Interruption, timeout: float, poll_seconds: float = POLL_SECONDS) -> None:
        self.components: list[Component] = []
        self._interruption = interruption
        self._timeout = timeout
        self._poll_seconds = poll_seconds
        self._started = time.monotonic()

    def until(self, what: str, condition: Callable[[], Found | None]) -> Found:
        """Wait until the condition returns a true value, and return that value."""
        while True:
            self.check(what)
            with contextlib.suppress(NoResponseError):  # the next check notices if the server has died
                if found := condition():
                    return found
            time.sleep(self._poll_seconds)

    def until_interrupted(self, restart: Callable[[Component], None]) -> None:
        """Watch the processes until the user interrupts, and restart those that end."""
        with contextlib.suppress(Interrupted):
            while True:
                self._interruption.check()
                for component in [component for component in self.components if component.has_failed]:
                    self.components.remove(component)
                    restart(component)
                time.sleep(POLL_SECONDS)

    def until_ended(self, component: Component) -> None:
        """Wait for a process that runs once and ends."""
        self.until(component.name, lambda: component.exit_code == 0)

    def check(self, what: str) -> None:
        """Raise if waiting any longer is pointless."""
        self._interruption.check()
        for component in self.components:
            component.check_running()
        if time.monotonic() - self._started > self._timeout:
            raise DemoError(f"Timed out after {self._timeout:.0f} s while waiting for {what}.")

    def stop(self, *, last: Sequence[Collection[str]]) -> None:
        """Stop every process; stop the named ones, group by group, after those that may still call them."""
        named = {name for names in last for name in names}
        stop([component for component in self.components if component.name not in named])
        for names in last:
            stop([component for component in self.components if component.name in names])
        self.components.clear()
