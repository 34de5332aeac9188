"""The measurements of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from benchmarks.client.cases import Case
from benchmarks.cost import Cost


@dataclass(frozen=True)
class Series:
    """The costs of a case.

    Attributes:
        rows: The number of fetched rows.
        costs: The cost in each round.
    """

    rows: int
    costs: list[Cost] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return median(cost.seconds for cost in self.costs)

    @property
    def per_second(self) -> float:
        """Rows per second, by the median of seconds."""
        return self.rows / self.seconds

    @property
    def cpu(self) -> float:
        """The median of processor seconds."""
        return median(cost.cpu for cost in self.costs)

    @property
    def megabytes(self) -> float | None:
        """The highest peak of memory of all rounds; None if it was not measured."""
        peaks = [cost.megabytes for cost in self.costs if cost.megabytes is not None]
        return max(peaks, default=None)


@dataclass
class Results:
    """Measurements of every round.

    Attributes:
        series: The series by workload and client.
        notes: Notes about the machine and the competitors.
    """

    series: dict[str, dict[str, Series]] = field(default_factory=lambda: defaultdict(dict))
    notes: list[str] = field(default_factory=list)

    def add(self, case: Case, rows: int, cost: Cost) -> None:
        """Add the cost of a round."""
        self.series[case.workload].setdefault(case.client, Series(rows)).costs.append(cost)
