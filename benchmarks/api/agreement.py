"""The check that all competitors return the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from benchmarks.api.peers import Peer, rows_of
from benchmarks.api.workloads import WORKLOADS, Workload
from benchmarks.days import RatingDays
from benchmarks.failure import BenchmarkError
from benchmarks.servers import Server

SAMPLE = 25


def check(running: Sequence[tuple[Peer, Server]], ratings: RatingDays) -> None:
    """Compare the rows of one response to each workload.

    Raises:
        BenchmarkError: Two competitors differ, or a response is not full.
    """
    for workload in WORKLOADS:
        request = workload.requests(ratings, seed=0)[0]
        responses = {server.name: rows_of(_body(server, peer.path(request))) for peer, server in running}
        expected = next(iter(responses.values()))
        different = [name for name, rows in responses.items() if rows != expected]
        if different or len(expected) != workload.limit:
            raise BenchmarkError(
                f"{workload.name}: {len(expected)} rows; rows different from ours from {different or 'none'}"
            )


def typical_response(workload: Workload, peer: Peer, server: Server, ratings: RatingDays) -> bytes:
    """Return the response of median size."""
    requests = workload.requests(ratings, seed=0)[:SAMPLE]
    bodies = sorted((_body(server, peer.path(request)) for request in requests), key=len)
    return bodies[[len(body) for body in bodies].index(median_low(len(body) for body in bodies))]


def _body(server: Server, path: str) -> bytes:
    status, body = server.get(path)
    if status != 200:  # noqa: PLR2004 - OK
        raise BenchmarkError(f"{server.name} returned {status} for {path}: {body[:500]!r}")
    return body
