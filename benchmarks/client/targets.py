"""The targets, and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client.cases import (
    CONCURRENCY,
    FEW,
    LARGE,
    LATENCY,
    LATENCY_MS,
    LIMIT,
    NAIVE_CLIENT,
    OPERATOR_ARROW,
    OPERATOR_JSON,
    OURS_ARROW,
    OURS_JSON,
    SERVED,
    SMALL,
    SMALL_PAGE,
    SPACED_JSON,
    WIDENED_ROWS,
)
from benchmarks.client.results import Results, Series
from benchmarks.tables import Target

TIMES_NAIVE = {OURS_JSON: 15.0, OURS_ARROW: 60.0}
OF_LIMIT = 0.11
OF_COMPACT = 0.5
OF_NAIVE_CPU = 0.35
TIMES_FLOOR = 1.5
MEGABYTES, MEGABYTES_MORE = 190, 20
OPERATOR_ADDS = 0.1
SERVER_SHARE = 0.2


def judge(results: Results) -> Iterator[Target]:
    """Compare the results with the targets."""
    large = results.series[LARGE]
    for client, times in TIMES_NAIVE.items():
        ratio = large[client].per_second / large[NAIVE_CLIENT].per_second
        yield _at_least(f"{LARGE}, {client}: at least {times:g} x naive", ratio, times, f"{ratio:.1f} x")
    ratio = large[OURS_JSON].per_second / large[LIMIT].per_second
    yield _at_least(f"{LARGE}, {OURS_JSON}: at least {OF_LIMIT:g} of curl", ratio, OF_LIMIT, f"{ratio:.3f}")
    for workload in (SPACED_JSON, WIDENED_ROWS):
        ratio = results.series[workload][OURS_JSON].per_second / large[OURS_JSON].per_second
        yield _at_least(f"{workload}: at least {OF_COMPACT:g} of compact JSON", ratio, OF_COMPACT, f"{ratio:.2f}")
    small = results.series[SMALL]
    ratio = _cpu_per_row(small[OURS_JSON]) / _cpu_per_row(small[NAIVE_CLIENT])
    yield _at_most(f"{SMALL}: CPU per page at most {OF_NAIVE_CPU:g} of naive's", ratio, OF_NAIVE_CPU, f"{ratio:.2f}")
    ratio = times_floor(results.series[LATENCY][OURS_JSON])
    yield _at_most(f"{LATENCY}: at most {TIMES_FLOOR:g} x the floor", ratio, TIMES_FLOOR, f"{ratio:.2f} x")
    yield from _memory(large, results.series[FEW])
    for client, operator in ((OURS_JSON, OPERATOR_JSON), (OURS_ARROW, OPERATOR_ARROW)):
        adds = large[operator].seconds / large[client].seconds - 1
        yield _at_most(
            f"the operator adds at most {OPERATOR_ADDS:.0%} to: {client}", adds, OPERATOR_ADDS, f"{adds:+.1%}"
        )
    yield _server_share(results)


def times_floor(series: Series) -> float:
    """Return the time as a multiple of the minimum: that of all pages at the given latency and concurrency."""
    pages = -(-series.rows // SMALL_PAGE)
    return series.seconds / (pages / CONCURRENCY * LATENCY_MS / 1000)


def _cpu_per_row(series: Series) -> float:
    return series.cpu / series.rows


def _memory(large: dict[str, Series], few: dict[str, Series]) -> Iterator[Target]:
    for client in TIMES_NAIVE:
        peak, rows = large[client].megabytes or 0, large[client].rows
        yield _at_most(f"{client}: at most {MEGABYTES} MB for {rows:,} rows", peak, MEGABYTES, f"{peak:.0f} MB")
        more = peak - (few[client].megabytes or 0)
        description = f"{client}: at most {MEGABYTES_MORE} MB more than for {few[client].rows:,} rows"
        yield _at_most(description, more, MEGABYTES_MORE, f"{more:+.0f} MB")


def _server_share(results: Results) -> Target:
    """Judge the highest share of the server with minimal cost while our client fetches."""
    shares = {
        f"{workload}, {client}": series[client].server_share
        for workload, series in results.series.items()
        for client in (OURS_JSON, OURS_ARROW)
        if workload != SERVED and client in series
    }
    highest = max(shares, key=lambda case: shares[case])
    description = f"the server takes at most {SERVER_SHARE:.0%} of the CPU while ours fetches"
    return _at_most(description, shares[highest], SERVER_SHARE, f"{shares[highest]:.0%} ({highest})")


def _at_least(description: str, measured: float, target: float, shown: str) -> Target:
    return Target(description, shown, measured >= target)


def _at_most(description: str, measured: float, target: float, shown: str) -> Target:
    return Target(description, shown, measured <= target)
