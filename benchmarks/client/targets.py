"""The targets, and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client.cases import (
    CONCURRENCY,
    FEW,
    LARGE,
    LATENCY,
    LATENCY_MS,
    LATENCY_PAGE,
    LIMIT,
    NAIVE_CLIENT,
    OPERATOR_ARROW,
    OPERATOR_JSON,
    OURS_ARROW,
    OURS_JSON,
)
from benchmarks.client.results import Results, Series
from benchmarks.tables import Target

TIMES_NAIVE = {OURS_JSON: 15.0, OURS_ARROW: 80.0}
OF_LIMIT = 0.11
TIMES_FLOOR = 1.25
MEGABYTES, MEGABYTES_MORE = 190, 20
OPERATOR_ADDS = 0.1


def judge(results: Results) -> Iterator[Target]:
    """Compare the results with the targets."""
    large, few = results.series[LARGE], results.series[FEW]
    for client, times in TIMES_NAIVE.items():
        ratio = large[client].per_second / large[NAIVE_CLIENT].per_second
        yield Target(f"W1, {client}: at least {times:g} x naive", f"{ratio:.1f} x", ratio >= times)
    ratio = large[OURS_JSON].per_second / large[LIMIT].per_second
    yield Target(f"W1, {OURS_JSON}: at least {OF_LIMIT:g} of curl", f"{ratio:.3f}", ratio >= OF_LIMIT)
    ratio = times_floor(results.series[LATENCY][OURS_JSON])
    yield Target(f"W2: at most {TIMES_FLOOR:g} x the floor", f"{ratio:.2f} x", ratio <= TIMES_FLOOR)
    for client in TIMES_NAIVE:
        yield from _memory(client, few[client].megabytes or 0, large[client].megabytes or 0, large[client].rows)
    for client, operator in ((OURS_JSON, OPERATOR_JSON), (OURS_ARROW, OPERATOR_ARROW)):
        adds = large[operator].seconds / large[client].seconds - 1
        target = f"the operator adds at most {OPERATOR_ADDS:.0%} to: {client}"
        yield Target(target, f"{adds:+.1%}", adds <= OPERATOR_ADDS)


def times_floor(series: Series) -> float:
    """Return the time as a multiple of the minimum: that of all pages at the given latency and concurrency."""
    pages = -(-series.rows // LATENCY_PAGE)
    return series.seconds / (pages / CONCURRENCY * LATENCY_MS / 1000)


def _memory(client: str, few: float, large: float, rows: int) -> Iterator[Target]:
    yield Target(f"{client}: at most {MEGABYTES} MB for {rows:,} rows", f"{large:.0f} MB", large <= MEGABYTES)
    more = large - few
    yield Target(f"{client}: at most {MEGABYTES_MORE} MB more than for few", f"{more:+.0f} MB", more <= MEGABYTES_MORE)
