"""Competitors answer the same, or comparing them means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from benchmarks.api.peers import Peer, rows_of
from benchmarks.api.workloads import WORKLOADS, Workload
from benchmarks.days import RatingDays
from benchmarks.failure import BenchmarkError
from benchmarks.servers import Server

LOOKED_AT = 25


def check(running: Sequence[tuple[Peer, Server]], ratings: RatingDays) -> None:
    """Compare the rows of one answer to each workload.

    Raises:
        BenchmarkError: two competitors differ, or an answer is not full.
    """
    for workload in WORKLOADS:
        request = workload.requests(ratings, seed=0)[0]
        answers = {server.name: rows_of(_body(server, peer.path(request))) for peer, server in running}
        expected = next(iter(answers.values()))
        different = [name for name, rows in answers.items() if rows != expected]
        if different or len(expected) != workload.limit:
            raise BenchmarkError(
                f"{workload.name}: {len(expected)} rows; others than ours from {different or 'nobody'}"
            )


def typical_answer(workload: Workload, peer: Peer, server: Server, ratings: RatingDays) -> bytes:
    """Return the answer of median size."""
    requests = workload.requests(ratings, seed=0)[:LOOKED_AT]
    bodies = sorted((_body(server, peer.path(request)) for request in requests), key=len)
    return bodies[[len(body) for body in bodies].index(median_low(len(body) for body in bodies))]


def _body(server: Server, path: str) -> bytes:
    status, body = server.get(path)
    if status != 200:  # noqa: PLR2004 - OK
        raise BenchmarkError(f"{server.name} answers {status} to {path}: {body[:500]!r}")
    return body
