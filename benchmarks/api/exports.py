"""The whole table in one response (W5)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.failure import BenchmarkError
from benchmarks.memory import Memory, peak_of
from benchmarks.servers import AUTHORIZATION, Server

FORMATS = {"NDJSON": "application/x-ndjson", "Arrow": "application/vnd.apache.arrow.stream"}
BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Export:
    """One response.

    Attributes:
        per_second: Rows per second.
        megabytes: The size of the response.
        peak: The peak memory of all processes of the server.
    """

    per_second: float
    megabytes: float
    peak: Memory


def export(server: Server, media_type: str) -> Export:
    """Read the whole table and discard it.

    Raises:
        BenchmarkError: The status is not 200.
    """
    with peak_of(server.process) as peak, server.connection() as connection:
        began = time.perf_counter()
        connection.request("GET", "/ratings", headers={"Authorization": AUTHORIZATION, "Accept": media_type})
        response = connection.getresponse()
        if response.status != 200:  # noqa: PLR2004 - OK
            raise BenchmarkError(f"{server.name} returned {response.status}: {response.read()!r}")
        length, buffer = 0, bytearray(BYTES_AT_ONCE)
        while read := response.readinto(buffer):
            length += read
        seconds = time.perf_counter() - began
        rows = int(response.headers["X-Total-Count"])
    return Export(rows / seconds, length / 1e6, peak)
