"""The targets, and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.api.results import STEADY, WITHOUT, Results, middle
from benchmarks.tables import Target

OURS, USUAL, LIMIT = "movielens-api", "FastAPI + SQLAlchemy + SQLite", "nginx"
MEGABYTES = 700
# As a multiple of the usual implementation, and as a fraction of the limit.
RATIOS = {"W1": (12.0, 0.06), "W2": (40.0, None), "W3": (80.0, 0.25)}
ROWS_PER_SECOND = {"NDJSON": 3e6, "Arrow": 15e6}
W4_SLOWER = 1.5
P99_SLOWER = 3.0


def judge(results: Results) -> Iterator[Target]:
    """Compare the results with the targets."""
    yield from _loads(results)
    yield from _exports(results)
    if STEADY in results.reads:
        without, steady = (middle(results.reads[how], lambda seen: seen.p99) for how in (WITHOUT, STEADY))
        target = f"p99 of W1 while {STEADY} are posted: at most {P99_SLOWER:g} x without"
        yield Target(target, f"{steady / without:.2f} x", steady <= P99_SLOWER * without)
    if results.kills:
        yield Target("kill -9: no acknowledged rating lost", results.kills.said, results.kills.is_exact)


def _loads(results: Results) -> Iterator[Target]:
    for workload, (times, share) in RATIOS.items():
        ratio = results.per_second(workload, OURS) / results.per_second(workload, USUAL)
        yield Target(f"{workload}: at least {times:g} x {USUAL}", f"{ratio:.1f} x", ratio >= times)
        if share is not None:
            ratio = results.per_second(workload, OURS) / results.per_second(workload, LIMIT)
            yield Target(f"{workload}: at least {share:g} of {LIMIT}", f"{ratio:.3f}", ratio >= share)
    ratio = results.per_second("W2", OURS) / results.per_second("W4", OURS)
    yield Target(f"W4: within {W4_SLOWER:g} x of W2", f"{ratio:.2f} x", ratio <= W4_SLOWER)


def _exports(results: Results) -> Iterator[Target]:
    for form, exports in results.exports.items():
        least = ROWS_PER_SECOND[form]
        speed = middle(exports, lambda seen: seen.per_second)
        target = f"W5 as {form}: at least {least / 1e6:g} M rows/s"
        yield Target(target, f"{speed / 1e6:.1f} M rows/s", speed >= least)
        most = max(export.peak.pss for export in exports)
        yield Target(f"W5 as {form}: under {MEGABYTES} MB (PSS)", f"{most:,.0f} MB", most < MEGABYTES)
