"""The command `movielens` in processes of its own, killed, stopped or without room on the disk at random moments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from unit.disk import limit_files

from demo.processes import SessionRecord
from tests.campaign.journal import Journal

DONE, FAILED, TRY_LATER = 0, 1, 75
PATIENCE = 300.0
"""Seconds after which a command counts as hanging."""
KINDS = {"none": 5, "killed": 5, "stopped": 2, "disk full": 2}
"""How often each disturbance of a command occurs."""


@dataclass(frozen=True)
class Disturbance:
    """What happens to one process.

    Attributes:
        kind: One of ``KINDS``.
        moment: When, in seconds after its start.
        seconds: How long it is stopped.
        room: The size of the largest file that it may write if the disk is full.
    """

    kind: str
    moment: float = 0.0
    seconds: float = 0.0
    room: int = 0

    @classmethod
    def drawn(cls, chance: Random) -> Disturbance:
        """Return a random one."""
        kind = chance.choices([*KINDS], [*KINDS.values()])[0]
        return cls(kind, chance.uniform(0.2, 6.0), chance.uniform(0.2, 8.0), int(10 ** chance.uniform(2, 6)))


CALM = Disturbance("none")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit status, negative for a signal.
        output: What it has written.
        disturbance: What has happened to it.
    """

    status: int
    output: str
    disturbance: Disturbance

    @property
    def fault(self) -> str | None:
        """Why it should not have ended like this; None if that is fine."""
        if "Traceback" in self.output or self.status not in {DONE, TRY_LATER, *self._excused()}:
            return f"exit status {self.status} ({self.disturbance.kind}): {self.output.strip()[-600:]}"
        return None

    def _excused(self) -> set[int]:
        return {"killed": {-signal.SIGKILL}, "disk full": {FAILED}}.get(self.disturbance.kind, set())


class Commands:
    """Runs commands.

    Args:
        folder: The folder of the campaign, where they run.
        journal: Counts them and what disturbs them.
        sessions: Where the sessions of processes are recorded.
    """

    def __init__(self, folder: Path, journal: Journal, sessions: SessionRecord) -> None:
        self._folder, self._journal, self._sessions = folder, journal, sessions
        self._log = folder / "logs" / "commands.log"
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._is_closed = False

    def close(self) -> None:
        """Kill all processes, and start no other."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.kill()

    def run(self, arguments: Sequence[str], environ: Mapping[str, str], disturbance: Disturbance) -> Ended:
        """Run ``movielens`` once, until it has ended."""
        with self._started(arguments, environ) as process:
            if disturbance.kind == "disk full":
                with suppress(ProcessLookupError):
                    limit_files(process.pid, disturbance.room)
            disturbing = threading.Thread(target=_disturb, args=(process, disturbance))
            disturbing.start()
            try:
                output = process.communicate(timeout=PATIENCE)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                output = f"it hangs, and was killed after {PATIENCE:.0f} seconds: {process.communicate()[0]}"
                disturbance = CALM
            disturbing.join()
        with self._lock:
            self._running.discard(process)
        ended = Ended(process.returncode, output, disturbance)
        self._keep(arguments, ended)
        return ended

    def _started(self, arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOVIELENS")}
        with self._lock:
            if self._is_closed:
                raise SystemExit  # of this thread: the campaign has ended
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow_movielens", *arguments],
                cwd=self._folder,
                env={**inherited, "TMPDIR": str(self._folder / "tmp"), **environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
            self._sessions.add(process.pid)
        return process

    def _keep(self, arguments: Sequence[str], ended: Ended) -> None:
        self._journal.count(f"{arguments[0]}: {ended.disturbance.kind}")
        self._journal.count(f"{arguments[0]}: exit status {ended.status}")
        with self._lock, self._log.open("a") as log:
            log.write(f"{time.time():.1f} {ended.disturbance.kind} {' '.join(arguments)}\n{ended.output}")
            log.write(f"-> {ended.status}\n")


def _disturb(process: subprocess.Popen[str], disturbance: Disturbance) -> None:
    if disturbance.kind not in {"killed", "stopped"}:
        return
    with suppress(subprocess.TimeoutExpired):
        process.wait(disturbance.moment)
        return
    if disturbance.kind == "killed":
        process.kill()
        return
    process.send_signal(signal.SIGSTOP)
    time.sleep(disturbance.seconds)
    process.send_signal(signal.SIGCONT)
