"""The APIs that clients fetch from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client.cases import LATENCY_MS
from benchmarks.client.server import FULL, REQUESTS, SLOW
from benchmarks.client.shapes import SHAPES
from benchmarks.processes import cpu_of, family
from benchmarks.servers import Server, free_port


@dataclass(frozen=True)
class Api:
    """A running API.

    Attributes:
        server: The server.
        path: The path of the API on the server.
        counts_requests: Whether the server counts its requests.
    """

    server: Server
    path: str = ""
    counts_requests: bool = False

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.server.port}{self.path}"

    def cpu(self) -> float:
        """Return the processor seconds of the server so far."""
        return cpu_of(family(self.server.process))

    def requests(self) -> int | None:
        """Return the number of requests for rows so far; None if the server does not count them."""
        return int(self.server.get(f"/{REQUESTS}")[1]) if self.counts_requests else None


def start_bare(prepared: Path, folder: Path) -> Server:
    """Start the server with minimal cost; its log goes into the folder."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.client.server", str(prepared), str(port), str(LATENCY_MS)]
    return Server("the bare server", port, command, folder / "server.log")


def bare_apis(server: Server) -> dict[str, Api]:
    """Return the APIs of the server with minimal cost, by their names."""
    return {name: Api(server, f"/{name}", counts_requests=True) for name in (*SHAPES, SLOW, FULL)}
