"""The harness of `make bench-rank`, without DuckDB, pandas and Spark, which have environments of their own."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.rank import report
from benchmarks.rank.__main__ import prepare
from benchmarks.rank.cases import AGAIN, EXACT, OURS, SCAN, UNIQUE, Case, cases
from benchmarks.rank.rounds import Rounds

ROWS = 20_000


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    return Rounds(*prepare(folder, ROWS), folder)


def test_the_ratings_are_unique_or_rated_again(rounds):
    once, again = pl.read_parquet(rounds.once), pl.read_parquet(rounds.again)
    pairs = ["userId", "movieId"]
    assert (len(once), len(once.unique(pairs))) == (ROWS, ROWS)
    assert (len(again), len(again.unique(pairs))) == (ROWS * 101 // 100, ROWS)
    assert once["timestamp"].is_sorted()


def test_competitors_of_this_environment_agree_and_are_reported(rounds):
    here = [case for case in cases() if case.environment == "test"]
    for case in here:
        rounds.measure(case)
    for case in here:
        assert rounds.costs[case][0].seconds > 0
        assert 20 < rounds.costs[case][0].megabytes < 1000
    written = report.write(rounds.costs, ["a note"])
    assert written.startswith("- a note\n\n**unique**: one row per user and movie")
    assert written.count(f"| {OURS} |") == 3


def test_a_wrong_ranking_ends_the_run(rounds):
    rounds.measure(Case(UNIQUE, "Polars", "plain_polars", (UNIQUE,)))
    wrong = Rounds(rounds.again, rounds.again, rounds.folder)
    with pytest.raises(BenchmarkError, match="Polars ranks differently"):
        wrong.measure(Case(UNIQUE, "Polars", "plain_polars", (UNIQUE,)))


def test_targets_are_ratios_to_the_scan_of_the_same_run():
    def cost(seconds, megabytes=100.0):
        return [Cost(seconds, seconds, megabytes)]

    costs = {}
    for users, seconds in ((UNIQUE, 1.8), (EXACT, 6.6)):
        costs[Case(users, SCAN, "scan")] = cost(1.0)
        costs[Case(users, OURS, "ours")] = cost(seconds, 251.0)
    costs[Case(AGAIN, SCAN, "scan")] = cost(1.0)
    verdicts = report.write(costs, []).splitlines()[-4:]
    assert [line.rpartition("|")[0].split("|")[1:] for line in verdicts] == [
        [" unique: at most 1.8 x the scan ", " 1.80 x ", " yes "],
        [" unique: at most 250 MB ", " 251 MB ", " NO "],
        [" exact: at most 6.5 x the scan ", " 6.60 x ", " NO "],
        [" exact: at most 1000 MB ", " 251 MB ", " yes "],
    ]
