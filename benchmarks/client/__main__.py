"""`python -m benchmarks.client`: set everything up, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine
from benchmarks.api.peers import Ours
from benchmarks.client import report
from benchmarks.client.cases import LATENCY_MS, cases
from benchmarks.client.dataset import Dataset, prepare
from benchmarks.client.results import Results
from benchmarks.client.rounds import Rounds
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.servers import Server, free_port

CACHE = Path(".cache/bench")
PACKAGES = ("airflow-movielens", "polars", "requests", "apache-airflow", "apache-airflow-providers-http")
FEWEST_ROWS = 20_000
ONE_ROW = "/ratings?limit=1"


def main() -> int:
    """Run; the exit code is 1 if something could not be measured, or a client was wrong."""
    arguments = _parser().parse_args()
    results = Results(notes=machine.notes(PACKAGES))
    try:
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
    for case in todo:
        # Its streams are encoded when somebody asks for the first time.
        if case.api == "full":
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
    api.wait_until_it_answers(ONE_ROW)
    prepared = CACHE.resolve() / f"synthetic-{rows}" / "client"
    if not prepared.is_dir():
        say(f"writing {rows:,} ratings to {prepared}, once")
        prepare(api, prepared)
    bare = start_bare(prepared, folder)
    stack.callback(bare.stop)
    bare.wait_until_it_answers(f"/plain{ONE_ROW}")
    addresses = {name: f"http://127.0.0.1:{bare.port}/{name}" for name in ("plain", "slow", "full")}
    return Rounds(Dataset(prepared), {**addresses, "movielens-api": f"http://127.0.0.1:{api.port}"}, folder, results)


def start_bare(prepared: Path, folder: Path) -> Server:
    """Start the server that costs nothing; its log goes into the folder."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.client.server", str(prepared), str(port), str(LATENCY_MS)]
    return Server("the bare server", port, command, folder / "server.log")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=5_000_000, help="invented ratings (default: 5 million)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there, too")
    return parser


def _rows(text: str) -> int:
    rows = int(text)
    if rows < FEWEST_ROWS:
        raise argparse.ArgumentTypeError(f"{rows} is less than {FEWEST_ROWS}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
