"""All that a run measured."""

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
WITHOUT, STEADY, FLAT_OUT = "nobody", "20 batches of 100 a second", "one after the other, without pause"


@dataclass
class Results:
    """Measurements of every round.

    Attributes:
        loads: by workload and competitor.
        exports: by format.
        reads: W1 of ours while somebody writes, by how.
        writes: what was acknowledged meanwhile, by how.
        kills: what `kill -9` did; None if that was not tried.
        notes: about the machine and the competitors.
        failures: what could not be measured, and why.
    """

    loads: dict[tuple[str, str], list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    exports: dict[str, list[Export]] = field(default_factory=lambda: defaultdict(list))
    reads: dict[str, list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[str, list[Writer]] = field(default_factory=lambda: defaultdict(list))
    kills: Kills | None = None
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def per_second(self, workload: str, peer: str) -> float:
        """The median of answers per second."""
        return middle(self.loads[workload, peer], lambda seen: seen.per_second)


def middle(measurements: Iterable[Measured], value: Callable[[Measured], float]) -> float:
    """Return the median of a value over the rounds."""
    return median(value(measurement) for measurement in measurements)
