"""`python -m benchmarks.rank`: write the ratings, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.rank import report
from benchmarks.rank.cases import cases
from benchmarks.rank.dataset import write_ratings, write_re_ratings
from benchmarks.rank.rounds import Rounds

CACHE = Path(".cache/bench/rank")
ONE_OF = 100


def main() -> int:
    """Run the benchmark; the exit code is 1 if a competitor failed, or two of them disagree."""
    arguments = _parser().parse_args()
    notes = machine.notes(("airflow-movielens", "polars"))
    once, again = prepare(CACHE, arguments.rows)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-rank-") as folder:
            rounds = Rounds(once, again, Path(folder))
            for number in range(1, arguments.rounds + 1):
                say(f"round {number} of {arguments.rounds}")
                for case in cases():
                    rounds.measure(case)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(rounds.costs, notes)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 0


def prepare(folder: Path, rows: int) -> tuple[Path, Path]:
    """Return the files of ratings, without and with re-ratings; they are written once.

    Args:
        folder: Where they are kept.
        rows: The number of ratings without re-ratings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    once, again = folder / f"{rows}-once.parquet", folder / f"{rows}-again.parquet"
    if not again.exists():
        say(f"writing {rows:,} ratings to {folder}, once")
        write_ratings(once, rows)
        write_re_ratings(again, once, ONE_OF)
    return once, again


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rank", description=__doc__)
    parser.add_argument("--rows", type=int, default=25_000_000, help="generated ratings (default: 25 million)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
