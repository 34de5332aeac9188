"""The measurements of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from benchmarks.api.exports import Export
from benchmarks.api.kills import Kills
from benchmarks.api.load import Measurement
from benchmarks.api.writing import Writer

Measured = TypeVar("Measured")
WITHOUT, STEADY, FLAT_OUT = "no posts", "20 batches of 100 per second", "batches without pause"


@dataclass
class Results:
    """Measurements of every round.

    Attributes:
        loads: The results of W1 to W4 by workload and competitor.
        exports: The results of W5 by format.
        reads: The results of W1 of our server during writes, by the kind of writes.
        writes: The acknowledged writes, by the kind of writes.
        kills: The result of ``kill -9``; None if not measured.
        notes: Notes about the machine and the competitors.
        failures: The measurements that failed, and why.
    """

    loads: dict[tuple[str, str], list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    exports: dict[str, list[Export]] = field(default_factory=lambda: defaultdict(list))
    reads: dict[str, list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[str, list[Writer]] = field(default_factory=lambda: defaultdict(list))
    kills: Kills | None = None
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def per_second(self, workload: str, peer: str) -> float:
        """Return the median of responses per second."""
        return middle(self.loads[workload, peer], lambda seen: seen.per_second)


def middle(measurements: Iterable[Measured], value: Callable[[Measured], float]) -> float:
    """Return the median of a value over the rounds."""
    return median(value(measurement) for measurement in measurements)
