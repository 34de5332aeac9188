"""The competitors: programs that measure themselves, and curl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Protocol
from urllib.parse import urlencode

from benchmarks.client.job import Job
from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError

PROGRAMS = "benchmarks.client.competitors"
# Made by `make bench-client`: dlt cannot be installed together with Airflow.
PYTHON_OF_OTHERS = Path(".venv-clients/bin/python")


class Peer(Protocol):
    """A competitor."""

    @property
    def ending(self) -> str:
        """The extension of its output; empty for a folder."""

    def fetch(self, job: Job, rows: int, folder: Path) -> Cost:
        """Fetch a window in a new process, and return the cost."""


@dataclass(frozen=True)
class Program:
    """A module of `competitors`.

    Attributes:
        module: The name of the module.
        ending: The extension of its output; empty for a folder.
        python: The interpreter that runs it.
    """

    module: str
    ending: str
    python: Path = Path(sys.executable)

    def fetch(self, job: Job, rows: int, folder: Path) -> Cost:  # noqa: ARG002 - as in `Peer`
        """Run the program."""
        # Neither the user's settings nor their home folder is used.
        environ = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow"), "PYTHONUNBUFFERED": "1"}
        said = _run([str(self.python), "-m", f"{PROGRAMS}.{self.module}", job.to_json()], environ)
        return Cost(**json.loads(said.splitlines()[-1]))


@dataclass(frozen=True)
class Curl:
    """curl, which reads all pages of JSON in sequence over one connection and discards them: the upper bound."""

    ending: str = ".bytes"

    def fetch(self, job: Job, rows: int, folder: Path) -> Cost:  # noqa: ARG002 - as in `Peer`
        """Run curl, and write the number of received bytes to the output."""
        last = (rows - 1) // job.limit * job.limit
        window = urlencode({"start_date": job.start, "end_date": job.end, "limit": job.limit})
        address = f"{job.url}/ratings?{window}&offset=[0-{last}:{job.limit}]"
        options = ["--silent", "--show-error", "--fail", "--user", f"{job.user}:{job.password}"]
        before = _cpu_of_children()
        discard = ["--output", os.devnull, "--write-out", "%{size_download} %{time_total}\n"]
        said = _run(["curl", *options, *discard, address])
        sizes, seconds = zip(*(line.split() for line in said.splitlines()), strict=True)
        Path(job.output).write_text(str(sum(map(int, sizes))), encoding="utf-8")
        return Cost(sum(map(float, seconds)), _cpu_of_children() - before, None)


NAIVE = Program("naive", ".json")
HTTP_OPERATOR = Program("http_operator", ".json")
DLT = Program("dlt_pipeline", "", PYTHON_OF_OTHERS)
OURS = Program("ours", ".parquet")
OPERATOR = Program("operator", ".parquet")
CURL = Curl()


def _run(command: Sequence[str], environ: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, env=environ, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchmarkError(f"{command[0]} is missing: run `make bench-client`, and install curl") from error
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:3])} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return done.stdout


def _cpu_of_children() -> float:
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
