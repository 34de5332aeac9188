"""The report of a run in Markdown, and whether it met the targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.cost import Cost
from benchmarks.rank.cases import EXACT, NAMES, OURS, SCAN, UNIQUE, Case
from benchmarks.tables import Target, table, verdicts

HEAD = ["competitor", "seconds", "x scan", "CPU s", "peak MB"]
LIMITS = {UNIQUE: (1.8, 250), EXACT: (6.5, 1000)}
"""For each workload, the time as a multiple of the scan's, and megabytes."""

Costs = Mapping[Case, Sequence[Cost]]


def write(costs: Costs, notes: Sequence[str]) -> str:
    """Return all tables of a run, with medians over its rounds and the highest peak of memory."""
    parts = ["\n".join(f"- {note}" for note in notes)]
    for workload, name in NAMES.items():
        parts += [f"**{workload}**: {name}", table(HEAD, _rows(costs, workload))]
    return "\n\n".join([*parts, verdicts(_judge(costs))]) + "\n"


def _rows(costs: Costs, workload: str) -> Iterator[list[str]]:
    for case, each in costs.items():
        if case.workload == workload:
            cpu = median(cost.cpu for cost in each)
            ratio = f"{_seconds(costs, case) / _scan(costs, workload):.2f}"
            yield [case.competitor, f"{_seconds(costs, case):.2f}", ratio, f"{cpu:.2f}", f"{_peak(costs, case):.0f}"]


def _judge(costs: Costs) -> Iterator[Target]:
    for case in costs:
        if case.competitor == OURS and case.workload in LIMITS:
            times, megabytes = LIMITS[case.workload]
            ratio, peak = _seconds(costs, case) / _scan(costs, case.workload), _peak(costs, case)
            yield Target(f"{case.workload}: at most {times:g} x the scan", f"{ratio:.2f} x", ratio <= times)
            yield Target(f"{case.workload}: at most {megabytes} MB", f"{peak:.0f} MB", peak <= megabytes)


def _scan(costs: Costs, workload: str) -> float:
    return _seconds(costs, next(case for case in costs if (case.workload, case.competitor) == (workload, SCAN)))


def _seconds(costs: Costs, case: Case) -> float:
    return median(cost.seconds for cost in costs[case])


def _peak(costs: Costs, case: Case) -> float:
    return max(cost.megabytes or 0 for cost in costs[case])
