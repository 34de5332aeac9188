"""The report of a run in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.client.capacity import Capacity
from benchmarks.client.cases import LATENCY, LIMIT, NAIVE_CLIENT, NAMES, OURS_JSON, SMALL, SMALL_PAGE
from benchmarks.client.results import Results, Series
from benchmarks.client.targets import judge, times_floor
from benchmarks.tables import table, verdicts

CAPACITY_HEAD = ["responses", "per second", "rows/s", "p50, ms", "CPU µs per response", "ours takes of it"]
Column = Callable[[Series], str]


def write(results: Results) -> str:
    """Return all tables of a run, with medians over its rounds."""
    parts = ["\n".join(f"- {note}" for note in results.notes)]
    for workload, series in results.series.items():
        parts += [f"**{workload}**: {NAMES[workload]}", _workload_table(workload, series)]
        if workload == LATENCY:
            parts.append(f"{OURS_JSON}: {times_floor(series[OURS_JSON]):.2f} x the floor.")
    parts += [
        "**The server of these tables**, except that of the last one: what it can serve to wrk over 16 connections",
        table(CAPACITY_HEAD, (_capacity_row(capacity, results) for capacity in results.capacities)),
    ]
    return "\n\n".join([*parts, verdicts(judge(results))]) + "\n"


def _workload_table(workload: str, series: dict[str, Series]) -> str:
    columns = dict(_columns(workload, series.get(NAIVE_CLIENT), series.get(LIMIT)))
    rows = ([client, *(text(seen) for text in columns.values())] for client, seen in series.items())
    return table(["client", *columns], rows)


def _columns(workload: str, naive: Series | None, limit: Series | None) -> Iterator[tuple[str, Column]]:
    yield "rows", lambda seen: f"{seen.rows:,}"
    yield "requests", lambda seen: "" if seen.requests is None else f"{seen.requests:,.0f}"
    yield "seconds", lambda seen: f"{seen.seconds:.2f}"
    yield "rows/s", lambda seen: f"{seen.per_second:,.0f}"
    if naive:
        yield "x naive", lambda seen: f"{seen.per_second / naive.per_second:.2f}"
    if limit:
        yield "of curl", lambda seen: f"{seen.per_second / limit.per_second:.3f}"
    if workload in {SMALL, LATENCY}:
        yield "CPU ms per page", lambda seen: f"{seen.cpu / seen.rows * SMALL_PAGE * 1e3:.2f}"
    else:
        yield "CPU s per million rows", lambda seen: f"{seen.cpu / seen.rows * 1e6:.2f}"
    yield "server's share of CPU", lambda seen: f"{seen.server_share:.0%}"
    yield "server busy", lambda seen: f"{seen.server_cpu / seen.seconds:.0%}"
    yield "peak MB", lambda seen: "" if seen.megabytes is None else f"{seen.megabytes:,.0f}"


def _capacity_row(capacity: Capacity, results: Results) -> list[str]:
    workload, client = capacity.load.case
    ours = results.series[workload][client].per_second
    return [
        capacity.load.description,
        f"{capacity.measured.per_second:,.0f}",
        f"{capacity.per_second:,.0f}",
        f"{capacity.measured.p50:.2f}",
        f"{capacity.cpu * 1e6:,.0f}",
        f"{ours / capacity.per_second:.1%}",
    ]
