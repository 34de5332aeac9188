"""The memory of a process and all its descendants, from /proc."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import PROC, family

SECONDS_BETWEEN = 0.1
KILOBYTES_PER_MEGABYTE = 1000


@dataclass
class Memory:
    """Megabytes of all processes together; in a peak, the highest value of each.

    Attributes:
        rss: Resident pages; shared pages count in every process.
        pss: Resident pages; shared pages are divided by the number of processes that share them.
        anonymous: The part of ``pss`` that is not file content, and so cannot be dropped.
    """

    rss: float = 0
    pss: float = 0
    anonymous: float = 0

    def keep_highest(self, other: Memory) -> None:
        """Keep the higher of both for each value."""
        self.rss = max(self.rss, other.rss)
        self.pss = max(self.pss, other.pss)
        self.anonymous = max(self.anonymous, other.anonymous)


def of_family(ancestor: int) -> Memory:
    """Return the current memory of a process and all its descendants."""
    total = Memory()
    for process in family(ancestor):
        # A process may end while it is read.
        with suppress(OSError):
            kilobytes = _rollup(PROC / str(process))
            total.rss += kilobytes["Rss"] / KILOBYTES_PER_MEGABYTE
            total.pss += kilobytes["Pss"] / KILOBYTES_PER_MEGABYTE
            total.anonymous += kilobytes.get("Pss_Anon", kilobytes["Anonymous"]) / KILOBYTES_PER_MEGABYTE
    return total


@contextmanager
def peak_of(ancestor: int) -> Iterator[Memory]:
    """Yield the peak memory of a process and its descendants, updated ten times a second."""
    peak, done = of_family(ancestor), threading.Event()

    def watch() -> None:
        while not done.wait(SECONDS_BETWEEN):
            peak.keep_highest(of_family(ancestor))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.keep_highest(of_family(ancestor))


def _rollup(folder: Path) -> dict[str, int]:
    written = (folder / "smaps_rollup").read_text()
    return {name: int(kilobytes) for name, kilobytes in re.findall(r"^(\w+): +(\d+) kB$", written, re.MULTILINE)}
