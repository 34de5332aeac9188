"""`python -m benchmarks.api`: set everything up, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import machine
from benchmarks.api import agreement, database, report, tools
from benchmarks.api.nginx import Nginx
from benchmarks.api.peers import Datasette, FastApiSqlAlchemy, Ours, Peer
from benchmarks.api.results import Results
from benchmarks.api.rounds import Rounds
from benchmarks.api.workloads import WORKLOADS
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.servers import Server

CACHE = Path(".cache/bench")
PACKAGES = ("movielens-api", "fastapi", "uvicorn", "sqlalchemy", "datasette")
# With fewer, not every random month has 10,000 rows.
MIN_ROWS = 20_000
ONE_ROW = "/ratings?limit=1"


def main() -> int:
    """Run the benchmark; the exit code is 1 if a measurement failed."""
    arguments = _parser().parse_args()
    results = Results(notes=machine.notes(PACKAGES))
    try:
        tools.install()
        with ExitStack() as stack:
            _measure(_set_up(arguments, stack, results), arguments)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(results)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 1 if results.failures else 0


def _measure(rounds: Rounds, arguments: argparse.Namespace) -> None:
    _repeat(rounds.loads, arguments.rounds)
    for measure in (rounds.exports, rounds.writing):
        with _reported(rounds.results):
            _repeat(measure, arguments.rounds)
    say(f"kill -9, {arguments.kills} times")
    with _reported(rounds.results):
        rounds.kills(arguments.kills)


def _repeat(measure: Callable[[int], None], times: int) -> None:
    for number in range(1, times + 1):
        say(f"{measure.__name__}, round {number} of {times}")
        measure(number)


@contextmanager
def _reported(results: Results) -> Iterator[None]:
    try:
        yield
    except BenchmarkError as error:
        # Earlier measurements took minutes and are still reported.
        say(f"FAILED: {error}")
        results.failures.append(str(error))


def _set_up(arguments: argparse.Namespace, stack: ExitStack, results: Results) -> Rounds:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-api-")))
    ours = Ours(f"synthetic:{arguments.rows}", CACHE.resolve(), arguments.workers)
    file = _database(ours, folder, arguments.rows)
    ratings = database.rating_days(file)
    peers: list[Peer] = [ours, FastApiSqlAlchemy(file, arguments.workers), Datasette(file)]
    running = [(peer, _start(peer, folder, stack)) for peer in peers]
    for peer, server in running:
        server.wait_until_ready(peer.path(WORKLOADS[0].requests(ratings, seed=0)[0]))
    agreement.check(running, ratings)
    pages = {each.name: agreement.typical_response(each, *running[0], ratings) for each in WORKLOADS}
    limit = Nginx(pages, arguments.workers).start(folder)
    stack.callback(limit.stop)
    limit.wait_until_ready("/W1")
    return Rounds(ratings, running, limit, folder, results)


def _database(ours: Ours, folder: Path, rows: int) -> Path:
    file = CACHE.resolve() / f"synthetic-{rows}" / "ratings.db"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        say(f"writing {rows:,} ratings to {file}, once")
        with ExitStack() as stack:
            server = _start(ours, folder, stack)
            server.wait_until_ready(ONE_ROW)
            database.write(server, file)
    return file


def _start(peer: Peer, folder: Path, stack: ExitStack) -> Server:
    say(f"starting {peer.name}")
    server = peer.start(folder)
    stack.callback(server.stop)
    return server


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=25_000_000, help="generated ratings (default: 25 million)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--kills", type=int, default=50, help="how often a server is killed (default: 50)")
    parser.add_argument("--workers", type=int, default=2, help="processes of servers with several (default: 2)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


def _rows(text: str) -> int:
    rows = int(text)
    if rows < MIN_ROWS:
        raise argparse.ArgumentTypeError(f"{rows} is less than {MIN_ROWS}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
