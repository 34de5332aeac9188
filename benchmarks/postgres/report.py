"""The report of a run in Markdown, and whether it met the targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.cost import Cost
from benchmarks.postgres.cases import EMPTY, EXECUTEMANY_2, NEW, PLAIN_COPY, RERUN, Case
from benchmarks.tables import Target, table, verdicts

HEAD = ["competitor", "rows", "seconds", "rows/s", "x plain COPY and key", "CPU s", "MB more"]
TIMES_EXECUTEMANY = 40
KEYED_TIMES, RERUN_TIMES = 2.0, 1.0
MEGABYTES = 150

Costs = Mapping[Case, Sequence[Cost]]


def write(costs: Costs, rows: int, notes: Sequence[str]) -> str:
    """Return the table of a run, with medians over its rounds and the highest peak of memory."""
    lines = "\n".join(f"- {note}" for note in notes)
    return "\n\n".join([lines, table(HEAD, _rows(costs, rows)), verdicts(_judge(costs, rows))]) + "\n"


def _rows(costs: Costs, rows: int) -> Iterator[list[str]]:
    plain = _seconds(costs, PLAIN_COPY) / rows
    for case, each in costs.items():
        loaded, seconds = case.rows(rows), _seconds(costs, case.name)
        cpu, peak = median(cost.cpu for cost in each), max(cost.megabytes or 0 for cost in each)
        yield [
            case.name, f"{loaded:,}", f"{seconds:.2f}", f"{loaded / seconds:,.0f}", f"{seconds / loaded / plain:.2f}",
            f"{cpu:.2f}", f"{peak:.0f}",
        ]  # fmt: skip


def _judge(costs: Costs, rows: int) -> Iterator[Target]:
    plain = _seconds(costs, PLAIN_COPY)
    times = _rate(costs, NEW, rows) / _rate(costs, EXECUTEMANY_2, rows)
    yield Target(f"{NEW}: at least {TIMES_EXECUTEMANY} x {EXECUTEMANY_2}", f"{times:.0f} x", times >= TIMES_EXECUTEMANY)
    for name, most in ((EMPTY, KEYED_TIMES), (RERUN, RERUN_TIMES)):
        ratio = _seconds(costs, name) / plain
        yield Target(f"{name}: at most {most:g} x plain COPY and the key", f"{ratio:.2f} x", ratio <= most)
    peak = max(cost.megabytes or 0 for case, each in costs.items() if case.module == "ours" for cost in each)
    yield Target(f"ours: at most {MEGABYTES} MB more than before", f"{peak:.0f} MB", peak <= MEGABYTES)


def _rate(costs: Costs, name: str, rows: int) -> float:
    return next(case for case in costs if case.name == name).rows(rows) / _seconds(costs, name)


def _seconds(costs: Costs, name: str) -> float:
    return median(cost.seconds for case, each in costs.items() if case.name == name for cost in each)
