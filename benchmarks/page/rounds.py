"""Rounds of measurements: of each storage, an API server without the page and one with it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.sync_api import Browser

from benchmarks.memory import Memory, of_family, peak_of
from benchmarks.page.api_server import AirflowHome, RunningServer, Storage
from benchmarks.page.browser import Times, logged_in, open_view
from benchmarks.page.views import FRAME, LIMITS, LOOK, View
from benchmarks.progress import say

OFF, LOOKED, BEFORE, AFTER, PEAK = (
    "without the page",
    "without the page, after Airflow has looked for the data root",
    "with the page, before it is opened",
    "after all views were opened twice",
    "peak while they are opened once more, with the processes of queries",
)
SECONDS_TO_SETTLE = 2


@dataclass
class Rounds:
    """Measurements of the views of a data root.

    Attributes:
        home: Airflow's home.
        views: The views.
        cold: The times in a window with an empty cache, by the storage and the view, one for each round.
        warm: The times when the same window opens the view again.
        memory: The memory of the API server, by the storage and what has happened to it.
    """

    home: AirflowHome
    views: Sequence[View]
    cold: dict[tuple[Storage, View], list[Times]] = field(default_factory=lambda: defaultdict(list))
    warm: dict[tuple[Storage, View], list[Times]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[tuple[Storage, str], list[Memory]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, browser: Browser, storage: Storage) -> None:
        """Measure all views of a storage once, and the memory of the API server."""
        with self.home.serve(storage, page=False) as server:
            for view in LIMITS:
                self._open(browser, server, view)
            self._note_memory(storage, OFF, server)
            self._open(browser, server, LOOK)
            self._note_memory(storage, LOOKED, server)
        with self.home.serve(storage, page=True) as server:
            self._measure(browser, storage, server, LIMITS)
            self._note_memory(storage, BEFORE, server)
            self._measure(browser, storage, server, self.views)
            self._note_memory(storage, AFTER, server)
            # After the memory: most of what is loaded here is Airflow's.
            self._measure(browser, storage, server, [FRAME])
            with peak_of(server.process) as peak:
                for view in self.views:
                    self._open(browser, server, view)
            self.memory[storage, PEAK].append(peak)

    def _measure(self, browser: Browser, storage: Storage, server: RunningServer, views: Sequence[View]) -> None:
        for view in views:
            cold, warm = self._open(browser, server, view)
            self.cold[storage, view].append(cold)
            self.warm[storage, view].append(warm)
            say(f"  {view.name}: first paint after {cold.paint:.0f} ms, then {warm.paint:.0f} ms")

    def _open(self, browser: Browser, server: RunningServer, view: View) -> tuple[Times, Times]:
        """Open a view twice in one window."""
        with logged_in(browser, server) as page:
            return open_view(page, server, view), open_view(page, server, view)

    def _note_memory(self, storage: Storage, state: str, server: RunningServer) -> None:
        time.sleep(SECONDS_TO_SETTLE)
        self.memory[storage, state].append(of_family(server.process))
