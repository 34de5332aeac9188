"""`python -m benchmarks.page`: write the data root, measure in rounds, print the report."""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import machine
from benchmarks.failure import BenchmarkError
from benchmarks.page import report
from benchmarks.page.api_server import AirflowHome, Storage
from benchmarks.page.browser import chromium
from benchmarks.page.object_storage import ADDRESS, bucket_with
from benchmarks.page.root import write_copy, write_root
from benchmarks.page.rounds import Rounds
from benchmarks.page.size import Size
from benchmarks.page.views import views
from benchmarks.progress import say

CACHE = Path(".cache/bench/page").absolute()
SECONDS = 1.0


def main() -> int:
    """Run the benchmark; the exit code is 1 if a page cannot be opened."""
    arguments = _parser().parse_args()
    size = Size(arguments.days, arguments.movies, arguments.model_movies, arguments.users)
    notes = machine.notes(("apache-airflow", "fastapi", "polars"))
    notes.append(
        f"{size.days:,} days, rankings of {size.movies:,} movies, a champion with {size.model:,} movies, "
        f"recommendations for {size.users:,} users"
    )
    try:
        rounds = measure(CACHE, size, arguments.rounds, with_s3=not arguments.only_local)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    written = report.write(rounds, notes)
    print(written)
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    return 0


def measure(folder: Path, size: Size, rounds: int, *, with_s3: bool = True) -> Rounds:
    """Write the data root, and measure all views.

    Args:
        folder: The folder for everything; what an earlier run has left in it is removed.
        size: The size of the data root.
        rounds: How often each view is measured.
        with_s3: Whether to measure with the data root on S3 too.

    Raises:
        BenchmarkError: A server does not start, or a view does not show what it is about.
    """
    shutil.rmtree(folder, ignore_errors=True)
    root = folder / "data"
    root.mkdir(parents=True)
    say("writing the data root")
    write_root(root, size)
    storages = [Storage("local files", str(root), Path(sys.executable), SECONDS)]
    say("preparing Airflow")
    home = AirflowHome(folder / "airflow")
    home.prepare(Path(sys.executable))
    found = Rounds(home, views(size))
    with ExitStack() as stack:
        if with_s3:
            say("copying the data root to S3")
            write_copy(folder / "copy", root, ADDRESS, size)
            storages.append(stack.enter_context(bucket_with(folder / "copy", folder)))
        browser = stack.enter_context(chromium())
        for number in range(1, rounds + 1):
            for storage in storages:
                say(f"round {number} of {rounds}, {storage.name}")
                found.measure(browser, storage)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--days", type=int, default=1096, help="days of partitions and rankings (default: 1096)")
    parser.add_argument("--movies", type=int, default=20_000, help="movies of a ranking (default: 20,000)")
    parser.add_argument("--model-movies", type=int, default=20_000, help="movies of the champion (default: 20,000)")
    parser.add_argument("--users", type=int, default=100_000, help="users with recommendations (default: 100,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each view is measured (default: 3)")
    parser.add_argument("--only-local", action="store_true", help="do not measure with the data root on S3")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the report to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
