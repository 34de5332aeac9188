"""The report of a run in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.api.results import Results, middle
from benchmarks.api.targets import LIMIT, USUAL, judge
from benchmarks.api.workloads import WORKLOADS
from benchmarks.tables import table, verdicts


def write(results: Results) -> str:
    """Return all tables of a run, with medians over its rounds."""
    parts = [
        "\n".join(f"- {note}" for note in (*results.notes, *(f"FAILED: {failure}" for failure in results.failures))),
        table(["workload", "server", "responses/s", "p50 ms", "p99 ms", "of nginx", f"x {USUAL}"], _loads(results)),
        table(["W5", "rows/s", "MB", "peak RSS MB", "peak PSS MB", "anonymous part"], _exports(results)),
        table(["W1 while posting", "responses/s", "p50 ms", "p99 ms", "ratings posted/s"], _writing(results)),
        verdicts(judge(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _loads(results: Results) -> Iterator[list[str]]:
    for workload in WORKLOADS:
        usual = results.per_second(workload.name, USUAL)
        limit = results.per_second(workload.name, LIMIT)
        for (name, peer), seen in results.loads.items():
            if name == workload.name:
                speed = results.per_second(name, peer)
                times = [f"{middle(seen, lambda one: one.p50):.2f}", f"{middle(seen, lambda one: one.p99):.2f}"]
                yield [name, peer, f"{speed:,.1f}", *times, f"{speed / limit:.3f}", f"{speed / usual:.2f}"]


def _exports(results: Results) -> Iterator[list[str]]:
    for form, exports in results.exports.items():
        speed = middle(exports, lambda seen: seen.per_second)
        peaks = zip(*((seen.peak.rss, seen.peak.pss, seen.peak.anonymous) for seen in exports), strict=True)
        yield [form, f"{speed:,.0f}", f"{exports[0].megabytes:,.0f}", *(f"{max(peak):,.0f}" for peak in peaks)]


def _writing(results: Results) -> Iterator[list[str]]:
    for how, seen in results.reads.items():
        speed, p50, p99 = (
            middle(seen, lambda one: one.per_second),
            middle(seen, lambda one: one.p50),
            middle(seen, lambda one: one.p99),
        )
        written = results.writes[how]
        posted = f"{middle(written, lambda one: one.per_second):,.0f}" if written else "0"
        yield [how, f"{speed:,.0f}", f"{p50:.2f}", f"{p99:.2f}", posted]
