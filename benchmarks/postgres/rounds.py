"""Rounds of measurements: competitors take turns, so that all run under the same conditions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.postgres.cases import ABSENT, FULL, KEYED, Case
from benchmarks.postgres.job import KEY, NAMES, TYPES
from benchmarks.postgres.ratings import RatingsFiles, sums_of
from benchmarks.progress import say


@dataclass
class Rounds:
    """Measurements of loads.

    Attributes:
        url: The URL of the database.
        files: The ratings.
        rows: How many they are.
        costs: The costs of each case, one for each round.
    """

    url: str
    files: RatingsFiles
    rows: int
    costs: dict[Case, list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, case: Case) -> None:
        """Measure a case once, and check the table.

        Raises:
            BenchmarkError: The competitor failed, or the table has other ratings.
        """
        self._prepare(case.table)
        file, rows = self.files.changed if case.is_changed else self.files.plain, case.rows(self.rows)
        cost = _run(case, self.url, file, rows)
        self._check(case, sums_of(file, rows))
        self.costs[case].append(cost)
        say(f"  {case.name}: {rows:,} rows in {cost.seconds:.2f} s, {cost.megabytes:.0f} MB")

    def _prepare(self, table: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS ratings")
            if table != ABSENT:
                connection.execute(f"CREATE TABLE ratings ({TYPES})")
            if table == FULL:
                _run(Case("", "plain_copy", table), self.url, self.files.plain, self.rows)
                # As autovacuum does within a minute.
                connection.execute("VACUUM ANALYZE ratings")
            elif table == KEYED:
                connection.execute(f"ALTER TABLE ratings ADD PRIMARY KEY ({KEY})")
            connection.execute("CHECKPOINT")

    def _check(self, case: Case, expected: tuple[float, ...]) -> None:
        sums = ", ".join(f"sum({name}::float8)" for name in NAMES.split(", "))
        with psycopg.connect(self.url) as connection:
            found = connection.execute(f"SELECT count(*)::float8, {sums} FROM ratings").fetchone()  # noqa: S608
        if found != expected:
            raise BenchmarkError(f"{case.name} loaded other ratings: {found}, expected {expected}")


def _run(case: Case, url: str, file: Path, rows: int) -> Cost:
    program = [sys.executable, "-m", f"benchmarks.postgres.competitors.{case.module}", url, str(file), str(rows)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{case.module} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))
