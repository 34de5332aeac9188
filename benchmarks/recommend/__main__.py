"""`python -m benchmarks.recommend`: write the ratings, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.recommend import report
from benchmarks.recommend.cases import cases
from benchmarks.recommend.dataset import prepare_large, prepare_sample
from benchmarks.recommend.rounds import Rounds

CACHE = Path(".cache/bench/recommend")


def main() -> int:
    """Run the benchmark; the exit code is 1 if a competitor failed."""
    arguments = _parser().parse_args()
    notes = machine.notes(("airflow-movielens", "numpy", "scipy", "polars"))
    rounds = Rounds(*prepare(CACHE, arguments.rows))
    movies = len(np.load(rounds.large / "catalogue.npy"))
    notes.append(f"{arguments.rows:,} generated ratings, of which {movies:,} movies are in the catalogue")
    try:
        for number in range(1, arguments.rounds + 1):
            say(f"round {number} of {arguments.rounds}")
            for case in cases():
                rounds.measure(case)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(rounds, notes)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 0


def prepare(folder: Path, rows: int) -> tuple[Path, Path]:
    """Return the folders of the generated ratings and of the sample; they are written once.

    Args:
        folder: Where they are kept.
        rows: The number of generated ratings.
    """
    large, sample = folder / f"large-{rows}", folder / "sample"
    if not large.exists():
        say(f"writing {rows:,} ratings to {folder}, once")
        prepare_large(large, rows)
    if not sample.exists():
        prepare_sample(sample)
    return large, sample


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommend", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="generated ratings (default: 10 million)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
