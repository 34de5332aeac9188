"""The processes of the stack: start them detached from the terminal, and stop them with everything they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# The scheduler waits for running tasks after the first SIGTERM, and stops at the second.
SIGNALS = (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)
GRACE_SECONDS = 3
POLL_SECONDS = 0.05
PROC = Path("/proc")


class Component:
    """One process of the stack, leader of a session of its own.

    Args:
        name: Its name in messages.
        command: Program and arguments.
        environment: All of its environment variables.
        folder: Its working directory.
        log: The file for its output.
        runs_once: Whether it ends by itself when its work is done.
        stop_signals: What ends it, one after the other.
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
        stop_signals: Sequence[signal.Signals] = SIGNALS,
    ) -> None:
        self.name = name
        self.log = log
        self.stop_signals = stop_signals
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
        """Its exit code, or None while it runs."""
        return self._process.poll()

    @property
    def has_failed(self) -> bool:
        """Whether it has ended, other than successfully after work that is done once."""
        return self.exit_code is not None and not (self._runs_once and self.exit_code == 0)

    def check_running(self) -> None:
        """Raise if it has failed."""
        if self.has_failed:
            raise self.failure()

    def failure(self) -> DemoError:
        """Return the error that it has ended, with the end of its log."""
        return DemoError(f"{self.name} ended with exit code {self.exit_code}. Its log ends with:", tail(self.log))


def tail(log: Path, lines: int = 30) -> str:
    """Return the last lines of a log."""
    with log.open(errors="replace") as file:
        return "".join(deque(file, lines)).rstrip()


def stop(components: Iterable[Component]) -> None:
    """Stop the components and everything they started, each by its signals, of which the last is SIGKILL."""
    components = list(components)
    sessions = {component.session for component in components}
    for turn in range(max((len(component.stop_signals) for component in components), default=0)):
        for component in components:
            signal_number = component.stop_signals[min(turn, len(component.stop_signals) - 1)]
            for group in process_groups({component.session}):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal_number)
        if _have_ended(components, sessions):
            return


def _have_ended(components: Iterable[Component], sessions: set[int]) -> bool:
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        # Ask every component: `poll` also reaps it.
        running = [component for component in components if component.exit_code is None]
        if not running and not process_groups(sessions):
            return True
        time.sleep(POLL_SECONDS)
    return False


def process_groups(sessions: set[int]) -> set[int]:
    """Return the process groups that are alive in the sessions.

    Airflow's tasks leave the group of their scheduler but not its session. Titles do not help: Airflow rewrites them.
    """
    groups = set()
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The program's name stands in parentheses and may hold any character, even blanks.
            state, _, group, session = stat.read_text().rpartition(")")[2].split()[:4]
            if state != "Z" and int(session) in sessions:
                groups.add(int(group))
    return groups


class SessionRecord:
    """The sessions that a stack has started, in a file that outlives a stack that is killed.

    Args:
        file: The file of session numbers.
        folder: The folder of the stack, in which its processes have their working directories; an unrelated process
            that reuses a number has another.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self.folder = folder

    def add(self, session: int) -> None:
        """Record a session that has just begun."""
        with self.file.open("a") as file:
            file.write(f"{session}\n")

    def end_leftovers(self) -> None:
        """Kill what is left of the recorded sessions and start a new record."""
        self.kill()
        self.file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill what is left of the recorded sessions."""
        if not self.file.exists():
            return
        sessions = set(map(int, self.file.read_text().split()))
        while leftovers := self._processes_in_folder(sessions):
            for process in leftovers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _processes_in_folder(self, sessions: set[int]) -> list[int]:
        processes = []
        for folder in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                # A process that has ended, but has not been reaped, has no working directory.
                is_ours = (folder / "cwd").readlink().is_relative_to(self.folder.resolve())
                if is_ours and os.getsid(int(folder.name)) in sessions:
                    processes.append(int(folder.name))
        return processes


class Guardian(contextlib.AbstractContextManager["Guardian"]):
    """A small process that ends the sessions of a stack when the stack's own process ends, even if it is killed.

    Args:
        sessions: The record of the sessions.
    """

    def __init__(self, sessions: SessionRecord) -> None:
        # It gets the end of its input when the last process that could write to it is gone.
        command = [sys.executable, "-P", "-m", __name__, str(sessions.file), str(sessions.folder)]
        environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        self._process = subprocess.Popen(  # noqa: S603 - this module
            command, env=environment, stdin=subprocess.PIPE, start_new_session=True
        )

    def __exit__(self, *_exception: object) -> None:
        """End what is left, and wait for it."""
        self._process.communicate()


if __name__ == "__main__":
    sys.stdin.read()
    SessionRecord(Path(sys.argv[1]), Path(sys.argv[2])).kill()
