"""The harness of `make bench-postgres`."""

from __future__ import annotations

import pytest

from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.postgres import report
from benchmarks.postgres.cases import (
    BARE,
    CHANGED,
    EMPTY,
    EXECUTEMANY,
    EXECUTEMANY_2,
    KEYED,
    NEW,
    PLAIN_COPY,
    RERUN,
    Case,
    cases,
)
from benchmarks.postgres.ratings import RatingsFiles, sums_of
from benchmarks.postgres.rounds import Rounds

ROWS = 2_000


@pytest.fixture
def rounds(warehouse, tmp_path):
    return Rounds(warehouse.url, RatingsFiles.prepared(tmp_path, ROWS), ROWS)


def test_competitors_are_measured_and_reported(rounds):
    measured = [case for case in cases() if case.name not in {NEW, EMPTY, RERUN}]
    for case in measured:
        rounds.measure(case)
    for case in measured:
        assert rounds.costs[case][0].seconds > 0
    rounds.costs |= {case: [Cost(1.0, 1.0, 1.0)] for case in cases() if case.name in {NEW, EMPTY, RERUN}}
    written = report.write(rounds.costs, ROWS, ["a note"])
    assert written.startswith("- a note\n\n| competitor | rows |")
    for name in (EXECUTEMANY, PLAIN_COPY, CHANGED):
        assert f"\n| {name} | " in written


def test_other_ratings_in_the_table_end_the_run(rounds):
    case = Case("COPY", "plain_copy", BARE)
    rounds.measure(case)
    with pytest.raises(BenchmarkError, match="COPY loaded other ratings"):
        rounds._check(case, sums_of(rounds.files.changed, ROWS))
    with pytest.raises(BenchmarkError, match=r"(?s)plain_copy failed \(1\):.*multiple primary keys"):
        rounds.measure(Case("COPY", "plain_copy", KEYED))


def test_targets_are_ratios_of_one_run():
    seconds = {EXECUTEMANY_2: 4.0, PLAIN_COPY: 1.0, NEW: 1.0, EMPTY: 2.01, RERUN: 1.0}
    costs = {
        Case(name, "ours" if name in {NEW, EMPTY, RERUN} else "other", "", 0.1 if "many" in name else 1): [
            Cost(time, time, 151.0 if name == NEW else 100.0)
        ]
        for name, time in seconds.items()
    }
    verdicts = report.write(costs, 100, []).splitlines()[-4:]
    assert [line.rpartition("|")[0].split(" | ")[1:] for line in verdicts] == [
        ["40 x", "yes "],
        ["2.01 x", "NO "],
        ["1.00 x", "yes "],
        ["151 MB", "NO "],
    ]
