"""Load from wrk: a number of connections that ask again as soon as they are answered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api import tools
from benchmarks.failure import BenchmarkError
from benchmarks.servers import AUTHORIZATION, Server

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 8
SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Measurement:
    """What a load saw.

    Attributes:
        per_second: answers per second.
        p50: the median time to an answer, in milliseconds.
        p99: the time within which 99 of 100 answers came, in milliseconds.
    """

    per_second: float
    p50: float
    p99: float


def measure(server: Server, paths: Sequence[str], seconds: float, file: Path) -> Measurement:
    """Ask a server for paths, one after the other, for some seconds.

    Args:
        server: who is asked.
        paths: what for; from the start again after the last.
        seconds: how long; whole ones.
        file: where the paths are written for wrk.

    Raises:
        BenchmarkError: an answer was not 200, or none came.
    """
    file.write_text("\n".join(paths) + "\n", encoding="utf-8")
    options = f"--threads 1 --connections {CONNECTIONS} --duration {seconds:.0f}s --timeout {SECONDS_TO_ANSWER}s"
    headers = ["--header", f"Authorization: {AUTHORIZATION}"]
    address = f"http://127.0.0.1:{server.port}"
    command = [tools.path("wrk"), *options.split(), *headers, "--script", str(SCRIPT), address, "--", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return read(said, server.name)


def read(said: str, name: str) -> Measurement:
    """Read what wrk printed.

    Args:
        said: all of it; the script's line is the last.
        name: who was asked, for messages.

    Raises:
        BenchmarkError: an answer was not 200, or none came.
    """
    seen = json.loads(said.splitlines()[-1])
    if seen["failed"] or not seen["requests"]:
        raise BenchmarkError(f"{name} failed {seen['failed']} of {seen['requests']} requests:\n{said}")
    return Measurement(seen["requests"] / seen["microseconds"] * 1e6, seen["p50"] / 1e3, seen["p99"] / 1e3)
