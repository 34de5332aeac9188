"""How much memory a process and all that it started hold, from /proc."""

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
    """Megabytes of all processes together; a peak keeps the highest of each.

    Attributes:
        rss: resident pages, those that several processes share counted in each.
        pss: resident pages, shared ones divided by how many processes share them.
        anonymous: of these, what is not the content of files and so cannot be dropped.
    """

    rss: float = 0
    pss: float = 0
    anonymous: float = 0

    def keep_highest(self, other: Memory) -> None:
        """Raise each to the other's if that is higher."""
        self.rss = max(self.rss, other.rss)
        self.pss = max(self.pss, other.pss)
        self.anonymous = max(self.anonymous, other.anonymous)


def of_family(ancestor: int) -> Memory:
    """Return the memory of a process and all its descendants now."""
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
    """Watch a process and its descendants; what it yields holds its peak, sampled ten times a second."""
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
