"""The harness of `make bench-recommend`, without irspack and implicit, which have an environment of their own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import load_npz

from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.recommend import report
from benchmarks.recommend.__main__ import prepare
from benchmarks.recommend.cases import EASE, LARGE, OURS, SAMPLE, Case, cases
from benchmarks.recommend.rounds import Quality, Rounds, Speed

ROWS = 20_000


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    return Rounds(*prepare(tmp_path_factory.mktemp("benchmarks"), ROWS))


def test_all_are_fitted_to_the_same_likes(rounds):
    for folder in (rounds.large, rounds.sample):
        ratings, catalogue = pl.read_parquet(folder / "training.parquet"), np.load(folder / "catalogue.npy")
        likes = ratings.filter(pl.col("rating") >= 4, pl.col("movieId").is_in(catalogue.tolist()))
        matrix = load_npz(folder / "training.npz")
        assert matrix.shape == (ratings["userId"].n_unique(), len(catalogue))
        assert matrix.sum() == matrix.nnz == len(likes) > 1000
    known, matrix = pl.read_parquet(rounds.sample / "known-3.parquet"), load_npz(rounds.sample / "known-3.npz")
    assert matrix.shape[0] == known["userId"].n_unique() == 217
    assert set(matrix.sum(axis=1).A1) == {3}


@pytest.mark.slow
def test_ours_is_measured_and_reported(rounds):
    for case in cases():
        if case.competitor == OURS:
            rounds.measure(case)
    (speeds,), (quality,) = rounds.speeds.values(), rounds.qualities.values()
    assert speeds[0].fit.seconds > 0
    assert 50 < speeds[0].fit.megabytes < 1000
    assert speeds[0].milliseconds > 0
    assert quality[0].ndcg[10] == pytest.approx(0.358, abs=0.003)
    written = report.write(rounds, ["a note"])
    (cost,) = rounds.choices.values()
    assert f"| {OURS} | {cost.seconds:.1f} | {cost.cpu:.1f} |" in written
    assert written.startswith("- a note\n\n**large**: one fit with given parameters")
    assert f"| {OURS} | defaults | 0.44" in written


def test_a_competitor_that_fails_ends_the_run(rounds):
    with pytest.raises(BenchmarkError, match=r"competitors\.ours no_such_model large failed \(1\)"):
        rounds.measure(Case(LARGE, OURS, "ours", "no_such_model", is_here=True))


def test_targets_are_judged(rounds):
    judged = Rounds(rounds.large, rounds.sample)
    judged.speeds[Case(LARGE, OURS, "ours", "ours")] = [Speed(Cost(121.0, 121.0, 1801.0), 2.1, 1999.0)]
    judged.qualities[Case(SAMPLE, OURS, "ours", "ours")] = [Quality({}, {1: 0.435, 3: 0.424, 10: 0.36})]
    tried = [Quality({"reg": 400.0}, {1: 0.2, 3: 0.3, 10: 0.343}), Quality({"reg": 1.0}, {1: 0.4, 3: 0.4, 10: 0.4})]
    judged.qualities[Case(SAMPLE, EASE, "irspack_models", "ease")] = tried
    written = report.write(judged, [])
    assert f"| {EASE} | reg=1 | 0.400 | 0.400 | 0.400 |" in written
    assert [line.rpartition("|")[0].split("|")[1:] for line in written.splitlines()[-8:]] == [
        [" fit: at most 120 s ", " 121 s ", " NO "],
        [" fit: at most 1800 MB ", " 1801 MB ", " NO "],
        [" one user: at most 2 ms ", " 2.1 ms ", " NO "],
        [" at least 2000 users/s ", " 1999 users/s ", " NO "],
        [" NDCG@10 with 1 like: at least 0.435 ", " 0.435 ", " yes "],
        [" NDCG@10 with 3 likes: at least 0.425 ", " 0.424 ", " NO "],
        [" NDCG@10 with 10 likes: at least 0.355 ", " 0.360 ", " yes "],
        [" EASE with 10 likes: 0.342 ± 0.002 ", " 0.343 ", " yes "],
    ]
