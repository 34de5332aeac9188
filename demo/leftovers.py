"""Processes of a stack that was killed too hard to stop them itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from demo.processes import POLL_SECONDS, PROC


class SessionRecord:
    """The sessions that a stack has started, kept in a file that outlives it.

    Args:
        file: Where the numbers of the sessions are noted.
        folder: The working directory of the stack's processes, which a process that got an old number does not share.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self._folder = folder

    def add(self, session: int) -> None:
        """Note a session that has just begun."""
        with self._file.open("a") as file:
            file.write(f"{session}\n")

    def end_leftovers(self) -> None:
        """Kill what is left of the noted sessions and begin a new record."""
        if self._file.exists():
            sessions = set(map(int, self._file.read_text().split()))
            while leftovers := self._processes_in_folder(sessions):
                for process in leftovers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                time.sleep(POLL_SECONDS)
            self._file.unlink()

    def _processes_in_folder(self, sessions: set[int]) -> list[int]:
        processes = []
        for folder in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                # A process that has ended, but has not been waited for, has no working directory any more.
                if (folder / "cwd").readlink() == self._folder.resolve() and os.getsid(int(folder.name)) in sessions:
                    processes.append(int(folder.name))
        return processes
