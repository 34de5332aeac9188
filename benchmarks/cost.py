"""The cost of a competitor's work, which each competitor measures itself, after its imports.

This module needs only the standard library, because competitors run in several environments.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

from benchmarks.processes import PROC, cpu_of, family


@dataclass(frozen=True)
class Cost:
    """The cost of some work.

    Attributes:
        seconds: The time from its start to the finished file.
        cpu: Processor seconds in that time, of all threads, user and system.
        megabytes: The peak of resident memory since the start of the process; None if not measured.
    """

    seconds: float
    cpu: float
    megabytes: float | None


def measure(work: Callable[[], object]) -> None:
    """Do the work, and print its cost as the last line."""
    print(json.dumps(asdict(cost_of(work))))


def cost_of(work: Callable[[], object]) -> Cost:
    """Do the work, and return its cost."""
    processes = family(os.getpid())
    began, cpu = time.perf_counter(), cpu_of(processes)
    work()
    return Cost(time.perf_counter() - began, cpu_of(processes) - cpu, sum(map(_peak_memory, processes)))


def _peak_memory(process: int) -> float:
    """Return the highest resident memory of a process, in megabytes; 0 if it has ended.

    getrusage would include the memory of the parent process before its fork.
    """
    with suppress(OSError):
        for line in (PROC / str(process) / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
