"""The report of a run in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client.cases import LATENCY, LIMIT, NAIVE_CLIENT, NAMES, OURS_JSON
from benchmarks.client.results import Results, Series
from benchmarks.client.targets import judge, times_floor
from benchmarks.tables import table, verdicts

HEAD = ["client", "rows", "seconds", "rows/s", "x naive", "of curl", "CPU s per million rows", "peak MB"]


def write(results: Results) -> str:
    """Return all tables of a run, with medians over its rounds."""
    parts = ["\n".join(f"- {note}" for note in results.notes)]
    for workload, series in results.series.items():
        parts += [f"**{workload}**: {NAMES[workload]}", table(HEAD, _rows(series))]
        if workload == LATENCY:
            parts.append(f"{OURS_JSON}: {times_floor(series[OURS_JSON]):.2f} x the floor.")
    return "\n\n".join([*parts, verdicts(judge(results))]) + "\n"


def _rows(series: dict[str, Series]) -> Iterator[list[str]]:
    naive, limit = series.get(NAIVE_CLIENT), series.get(LIMIT)
    for client, seen in series.items():
        yield [
            client,
            f"{seen.rows:,}",
            f"{seen.seconds:.2f}",
            f"{seen.per_second:,.0f}",
            f"{seen.per_second / naive.per_second:.2f}" if naive else "",
            f"{seen.per_second / limit.per_second:.3f}" if limit else "",
            f"{seen.cpu / seen.rows * 1e6:.2f}",
            "" if seen.megabytes is None else f"{seen.megabytes:,.0f}",
        ]
