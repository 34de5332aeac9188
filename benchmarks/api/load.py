"""Load from wrk: connections that send the next request as soon as a response has arrived."""

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
    """The result of a load.

    Attributes:
        per_second: Responses per second.
        p50: The median response time in milliseconds.
        p99: The 99th percentile of response times in milliseconds.
    """

    per_second: float
    p50: float
    p99: float


def measure(
    server: Server,
    paths: Sequence[str],
    seconds: float,
    file: Path,
    *,
    connections: int = CONNECTIONS,
    accept: str | None = None,
) -> Measurement:
    """Request paths from a server in sequence for some seconds.

    Args:
        server: The server.
        paths: The paths, repeated from the start after the last one.
        seconds: The duration in whole seconds.
        file: The file in which wrk finds the paths.
        connections: The number of connections.
        accept: The media type to request; None for the server's own choice.

    Raises:
        BenchmarkError: A response was not 200, or there was none.
    """
    file.write_text("\n".join(paths) + "\n", encoding="utf-8")
    options = f"--threads 1 --connections {connections} --duration {seconds:.0f}s --timeout {SECONDS_TO_ANSWER}s"
    headers = ["--header", f"Authorization: {AUTHORIZATION}", *(["--header", f"Accept: {accept}"] if accept else [])]
    address = f"http://127.0.0.1:{server.port}"
    command = [tools.path("wrk"), *options.split(), *headers, "--script", str(SCRIPT), address, "--", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return read(said, server.name)


def read(said: str, name: str) -> Measurement:
    """Read the output of wrk.

    Args:
        said: The whole output; the script's line is the last.
        name: The server's name for messages.

    Raises:
        BenchmarkError: A response was not 200, or there was none.
    """
    seen = json.loads(said.splitlines()[-1])
    if seen["failed"] or not seen["requests"]:
        raise BenchmarkError(f"{name} failed {seen['failed']} of {seen['requests']} requests:\n{said}")
    return Measurement(seen["requests"] / seen["microseconds"] * 1e6, seen["p50"] / 1e3, seen["p99"] / 1e3)
