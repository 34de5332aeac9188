"""The processes of the stack: started apart from the terminal, watched, and stopped with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from demo.failure import DemoError

# The scheduler waits for running tasks at the first request, and not at the second.
SIGNALS = (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)
GRACE_SECONDS = 3
POLL_SECONDS = 0.05
PROC = Path("/proc")


class Component:
    """One process of the stack, leader of a session of its own.

    Args:
        name: What messages call it.
        command: Program and arguments.
        environment: All of its environment variables.
        folder: Its working directory.
        log: The file that gets what it prints.
        runs_once: Whether it ends when its work is done.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        *,
        runs_once: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._runs_once = runs_once
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the stack's own programs
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.session = self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def has_failed(self) -> bool:
        """Whether it has ended, unless its work was to be done once and is."""
        return self.exit_code is not None and not (self._runs_once and self.exit_code == 0)

    def check_running(self) -> None:
        """Raise if it has failed."""
        if self.has_failed:
            raise self.failure()

    def failure(self) -> DemoError:
        """Say that it has ended, with the end of its log."""
        return DemoError(f"{self.name} ended with exit code {self.exit_code}. Its log ends with:", tail(self.log))


def tail(log: Path, lines: int = 30) -> str:
    """Return the last lines of a log."""
    with log.open(errors="replace") as file:
        return "".join(deque(file, lines)).rstrip()


def stop(components: Iterable[Component]) -> None:
    """Stop the components and everything they started: politely first, then by force."""
    components = list(components)
    sessions = {component.session for component in components}
    for signal_number in SIGNALS:
        for group in process_groups(sessions):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal_number)
        if _have_ended(components, sessions):
            return


def _have_ended(components: Iterable[Component], sessions: set[int]) -> bool:
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        # Every component is asked, because that is also what reaps it.
        running = [component for component in components if component.exit_code is None]
        if not running and not process_groups(sessions):
            return True
        time.sleep(POLL_SECONDS)
    return False


def process_groups(sessions: set[int]) -> set[int]:
    """Return the groups of the sessions' living processes.

    Airflow's tasks leave the group of their scheduler but not its session. Titles say nothing: Airflow rewrites them.
    """
    groups = set()
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program stands in parentheses and may hold anything, even blanks.
            state, _, group, session = stat.read_text().rpartition(")")[2].split()[:4]
            if state != "Z" and int(session) in sessions:
                groups.add(int(group))
    return groups
