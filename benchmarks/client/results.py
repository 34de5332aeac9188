"""The measurements of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.client.capacity import Capacity
from benchmarks.client.cases import Case
from benchmarks.cost import Cost


@dataclass(frozen=True)
class Measurement:
    """One fetch.

    Attributes:
        cost: The cost of the client.
        server_cpu: The processor seconds of the server in the meantime.
        requests: The number of requests for rows; None if the server does not count them.
    """

    cost: Cost
    server_cpu: float
    requests: int | None


@dataclass(frozen=True)
class Series:
    """The measurements of a case, one per round; all but ``megabytes`` are medians.

    Attributes:
        rows: The number of fetched rows.
        measurements: The measurement of each round.
    """

    rows: int
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The time of the fetch."""
        return self._median(lambda seen: seen.cost.seconds)

    @property
    def per_second(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds

    @property
    def cpu(self) -> float:
        """The processor seconds of the client."""
        return self._median(lambda seen: seen.cost.cpu)

    @property
    def server_cpu(self) -> float:
        """The processor seconds of the server."""
        return self._median(lambda seen: seen.server_cpu)

    @property
    def server_share(self) -> float:
        """The server's part of the processor seconds of both."""
        return self.server_cpu / (self.server_cpu + self.cpu)

    @property
    def requests(self) -> float | None:
        """The number of requests; None if it is unknown."""
        counted = [seen.requests for seen in self.measurements if seen.requests is not None]
        return median(counted) if counted else None

    @property
    def megabytes(self) -> float | None:
        """The highest peak of memory of all rounds; None if it was not measured."""
        peaks = [seen.cost.megabytes for seen in self.measurements if seen.cost.megabytes is not None]
        return max(peaks, default=None)

    def _median(self, value: Callable[[Measurement], float]) -> float:
        return median(map(value, self.measurements))


@dataclass
class Results:
    """Measurements of every round.

    Attributes:
        series: The series by workload and client.
        capacities: How much the server with minimal cost can serve.
        notes: Notes about the machine and the competitors.
    """

    series: dict[str, dict[str, Series]] = field(default_factory=lambda: defaultdict(dict))
    capacities: list[Capacity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, case: Case, rows: int, measurement: Measurement) -> None:
        """Add the measurement of a round."""
        self.series[case.workload].setdefault(case.client, Series(rows)).measurements.append(measurement)
