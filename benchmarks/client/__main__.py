"""`python -m benchmarks.client`: set everything up, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine
from benchmarks.api import tools
from benchmarks.api.peers import Ours
from benchmarks.client import capacity, report
from benchmarks.client.apis import Api, bare_apis, start_bare
from benchmarks.client.cases import MOVIELENS_API, cases
from benchmarks.client.dataset import Dataset, prepare
from benchmarks.client.results import Results
from benchmarks.client.rounds import Rounds
from benchmarks.client.server import FULL
from benchmarks.client.shapes import COMPACT
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say

CACHE = Path(".cache/bench")
PACKAGES = ("airflow-movielens", "polars", "requests", "apache-airflow", "apache-airflow-providers-http")
MIN_ROWS = 20_000
ONE_ROW = "/ratings?limit=1"


def main() -> int:
    """Run the benchmark; the exit code is 1 if a measurement failed, or a client returned wrong rows."""
    arguments = _parser().parse_args()
    results = Results(notes=machine.notes(PACKAGES))
    try:
        tools.install(["wrk"])
        with ExitStack() as stack:
            _measure(_set_up(arguments.rows, stack, results), arguments)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(results)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 0


def _measure(rounds: Rounds, arguments: argparse.Namespace) -> None:
    todo = list(cases(arguments.rows))
    say("what the bare server can serve")
    rounds.results.capacities += capacity.measure(rounds.apis, rounds.dataset, rounds.folder)
    for case in todo:
        # It encodes its streams at the first request.
        if case.api == FULL:
            rounds.warm_up(case)
    for number in range(1, arguments.rounds + 1):
        say(f"round {number} of {arguments.rounds}")
        for case in todo:
            rounds.measure(case)


def _set_up(rows: int, stack: ExitStack, results: Results) -> Rounds:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-client-")))
    say("starting movielens-api")
    api = Ours(f"synthetic:{rows}", CACHE.resolve(), workers=1).start(folder)
    stack.callback(api.stop)
    api.wait_until_ready(ONE_ROW)
    prepared = CACHE.resolve() / f"synthetic-{rows}" / "pages"
    if not prepared.is_dir():
        say(f"writing {rows:,} ratings to {prepared}, once")
        prepare(api, prepared)
    bare = start_bare(prepared, folder)
    stack.callback(bare.stop)
    bare.wait_until_ready(f"/{COMPACT}{ONE_ROW}")
    return Rounds(Dataset(prepared), {**bare_apis(bare), MOVIELENS_API: Api(api)}, folder, results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=5_000_000, help="generated ratings (default: 5 million)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


def _rows(text: str) -> int:
    rows = int(text)
    if rows < MIN_ROWS:
        raise argparse.ArgumentTypeError(f"{rows} is less than {MIN_ROWS}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
