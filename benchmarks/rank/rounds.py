"""Rounds of measurements: competitors take turns, so that all run under the same conditions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.rank.cases import AGAIN, Case

# Made by `make bench-rank`. pandas behaves differently beside pyarrow, so the engines are not in .venv.
ENGINES, SPARK = Path(".venv-engines/bin/python"), Path(".spark")
LARGEST_ERROR = 1e-9


@dataclass
class Rounds:
    """Measurements of rankings.

    Attributes:
        once: The ratings in which no user rates a movie twice.
        again: The ratings with re-ratings.
        folder: The folder for rankings.
        costs: The costs of each case, one for each round.
    """

    once: Path
    again: Path
    folder: Path
    costs: dict[Case, list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, case: Case) -> None:
        """Measure a case once, and check its ranking."""
        output = self.folder / "ranking.csv"
        output.unlink(missing_ok=True)
        cost = _run(case, self.again if case.workload == AGAIN else self.once, output)
        if case.ranks and case.workload != AGAIN:
            self._check(case, output)
        self.costs[case].append(cost)
        say(f"  {case.workload} {case.competitor}: {cost.seconds:.2f} s, {cost.megabytes:.0f} MB")

    def _check(self, case: Case, output: Path) -> None:
        """Compare with the first ranking that was checked.

        Raises:
            BenchmarkError: They differ.
        """
        right, found = self.folder / "right.csv", pl.read_csv(output).sort("movieId")
        if not right.exists():
            found.write_csv(right)
        # Trending has no mean.
        columns = [name for name in ("movieId", "num_ratings", "avg_rating") if name in found.columns]
        try:
            expected = pl.read_csv(right).select(columns)
            assert_frame_equal(found.select(columns), expected, abs_tol=LARGEST_ERROR, rel_tol=0)
        except AssertionError as error:
            raise BenchmarkError(f"{case.competitor} ranks differently: {error}") from error


def _run(case: Case, ratings: Path, output: Path) -> Cost:
    python = sys.executable if case.environment == "test" else str(ENGINES)
    paths = os.pathsep.join([str(SPARK.resolve()), "src"])
    environ = {**os.environ, "PYTHONPATH": paths} if case.environment == "spark" else None
    program = [python, "-m", f"benchmarks.rank.competitors.{case.module}", str(ratings), str(output), *case.arguments]
    done = subprocess.run(program, capture_output=True, env=environ, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(program[:3])} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))
