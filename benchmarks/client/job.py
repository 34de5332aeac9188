"""The job of a competitor and its cost, which each competitor measures itself, after its imports.

This module needs only the standard library, because competitors run in several environments.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A window to fetch.

    Attributes:
        url: The URL of the API.
        user: The user name.
        password: The password.
        start: The first day, YYYY-MM-DD.
        end: The first day after the window.
        page_size: Rows per request.
        concurrency: The maximum number of requests in flight, for clients that support it.
        data_format: The format to request, for clients that can choose; ``auto`` for the best one.
        output: The file to write; its extension selects the format.
    """

    url: str
    user: str
    password: str
    start: str
    end: str
    page_size: int
    concurrency: int
    data_format: str
    output: str

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Cost:
    """The cost of a job.

    Attributes:
        seconds: The time from the first request to the finished file.
        cpu: Processor seconds in that time, of all threads, user and system.
        megabytes: The peak of resident memory since the start of the process; None if not measured.
    """

    seconds: float
    cpu: float
    megabytes: float | None


def do(work: Callable[[Job], object]) -> None:
    """Do the job in the program's argument and print its cost as the last line."""
    job = Job(**json.loads(sys.argv[1]))
    began, cpu = time.perf_counter(), time.process_time()
    work(job)
    cost = Cost(time.perf_counter() - began, time.process_time() - cpu, peak_memory())
    print(json.dumps(asdict(cost)))


def peak_memory() -> float:
    """Return the highest resident memory of this process, in megabytes.

    getrusage would include the memory of the parent process before its fork.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("/proc/self/status has no VmHWM")
