"""What disturbs the server: its processes are killed, stopped and restarted, and its disk is full for a while."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from random import Random

from unit.disk import limit_files

from benchmarks.failure import BenchmarkError
from benchmarks.processes import family
from tests.campaign.api import Api
from tests.campaign.journal import Journal
from tests.campaign.plan import Plan

FATAL = {"server killed": 3, "worker killed": 4, "server restarted": 2}
OTHER = {"worker stopped": 3, "server stopped": 1, "disk of the server full": 3}
"""How often each occurs."""


class Disturbances(threading.Thread):
    """A thread that disturbs the server until it is stopped.

    Args:
        plan: The campaign.
        api: The server.
        journal: Counts the disturbances.

    Attributes:
        spares_processes: Whether nothing is killed or restarted any more, so that the processes grow old.
        problem: Why the server could not be started again.
    """

    def __init__(self, plan: Plan, api: Api, journal: Journal) -> None:
        super().__init__(name="disturbances", daemon=True)
        self.spares_processes = False
        self.problem: str | None = None
        self._plan, self._api, self._journal = plan, api, journal
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the current disturbance and begin no other."""
        self._stopping.set()

    def run(self) -> None:
        """Disturb."""
        number = 0
        while not self._stopping.wait(self._plan.chance("calm", number).uniform(0.5, 5.0)):
            chance = self._plan.chance("disturbance", number)
            number += 1
            kinds = OTHER if self.spares_processes else FATAL | OTHER
            kind = chance.choices([*kinds], [*kinds.values()])[0]
            self._journal.count(kind)
            try:
                self._disturb(kind, chance)
            except BenchmarkError as error:
                self.problem = str(error)
                return

    def _disturb(self, kind: str, chance: Random) -> None:
        seconds = chance.uniform(0.2, 4.0)
        if kind == "server killed":
            self._api.kill()
            self._stopping.wait(seconds / 4)
            self._api.start()
        elif kind == "server restarted":
            self._api.restart()
        elif kind == "worker killed":
            self._api.signal_worker(chance.randrange(10), signal.SIGKILL)
        elif kind == "disk of the server full":
            self._fill_disk(int(10 ** chance.uniform(2, 6)), seconds)
        else:
            self._pause(kind, chance, seconds)

    def _fill_disk(self, room: int, seconds: float) -> None:
        self._limit_files(room)
        self._stopping.wait(seconds)
        # Also that of a worker that was started meanwhile, which has the limit of its parent.
        self._limit_files(None)

    def _limit_files(self, size: int | None) -> None:
        for process in family(self._api.process):
            with suppress(ProcessLookupError):
                limit_files(process, size)

    def _pause(self, kind: str, chance: Random, seconds: float) -> None:
        if kind == "server stopped":
            process: int | None = self._api.process
            os.kill(self._api.process, signal.SIGSTOP)
        else:
            process = self._api.signal_worker(chance.randrange(10), signal.SIGSTOP)
        self._stopping.wait(seconds)
        if process:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
