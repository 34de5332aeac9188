"""The whole table in one answer (W5)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.api.memory import Memory, peak_of
from benchmarks.failure import BenchmarkError
from benchmarks.servers import AUTHORIZATION, Server

FORMATS = {"NDJSON": "application/x-ndjson", "Arrow": "application/vnd.apache.arrow.stream"}
BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Export:
    """One answer.

    Attributes:
        per_second: rows per second.
        megabytes: the size of the answer.
        peak: the server's memory meanwhile, all of its processes.
    """

    per_second: float
    megabytes: float
    peak: Memory


def export(server: Server, media_type: str) -> Export:
    """Read the whole table and throw it away.

    Raises:
        BenchmarkError: it is not 200.
    """
    with peak_of(server.process) as peak, server.connection() as connection:
        began = time.perf_counter()
        connection.request("GET", "/ratings", headers={"Authorization": AUTHORIZATION, "Accept": media_type})
        answer = connection.getresponse()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise BenchmarkError(f"{server.name} answers {answer.status}: {answer.read()!r}")
        length, buffer = 0, bytearray(BYTES_AT_ONCE)
        while read := answer.readinto(buffer):
            length += read
        seconds = time.perf_counter() - began
        rows = int(answer.headers["X-Total-Count"])
    return Export(rows / seconds, length / 1e6, peak)
