"""What a competitor is told and what it tells, and how it is measured: by itself, after it has imported what it needs.

Only the standard library: competitors run in several environments.
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
        url: the API's address.
        user: who asks.
        password: the password.
        start: the first day, YYYY-MM-DD.
        end: the day after the last.
        page_size: rows to ask for in one request.
        concurrency: how many requests may be under way at once, for those who can.
        data_format: what to ask for, for those who can choose; `auto` for the best there is.
        output: the file to write; its ending tells the format.
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
        """Write the job on one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Cost:
    """What a job took.

    Attributes:
        seconds: from the first request to the finished file.
        cpu: processor seconds meanwhile, of all threads, user and system.
        megabytes: the peak of resident memory since the process began; None if that was not measured.
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

    Not what getrusage says: that begins with the memory of whoever started the process.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("/proc/self/status has no VmHWM")
