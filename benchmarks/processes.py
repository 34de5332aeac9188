"""A process and all its descendants: which they are, and their processor time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PARENT_FIELD = 1


def family(ancestor: int) -> list[int]:
    """Return a process and all its descendants, whatever their sessions: each worker may have its own."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        # A process may end while it is read.
        with suppress(OSError):
            children[_parent(folder)].append(int(folder.name))
    found = [ancestor]
    for process in found:
        found.extend(children[process])
    return found


def cpu_of(processes: Iterable[int]) -> float:
    """Return the processor seconds of processes so far, of all threads, user and system; 0 for each that has ended."""
    seconds = 0.0
    for process in processes:
        # The start of Spark leaves processes that soon end.
        with suppress(OSError):
            seconds += time.clock_gettime(_cpu_clock(process))
    return seconds


def _cpu_clock(process: int) -> int:
    # As clock_getcpuclockid(3) of Linux returns it; the times in /proc are multiples of 10 ms.
    return ~process << 3 | 2


def _parent(folder: Path) -> int:
    # The name before the last parenthesis may hold anything.
    return int((folder / "stat").read_text().rpartition(")")[2].split()[PARENT_FIELD])
