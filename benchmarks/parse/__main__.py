"""`python -m benchmarks.parse`: parse Dag files with our operators and with plain ones, and compare the times."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.tables import Target, table, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGES = ("airflow-movielens", "apache-airflow")
MOST = 1.10
HEAD = ["how", "file", "plain, ms", "ours, ms", "ratio"]
Times = dict[tuple[str, str], dict[str, list[float]]]


def main() -> int:
    """Run the benchmark; the exit code is 1 if a file could not be parsed."""
    arguments = _parser().parse_args()
    notes = machine.notes(PACKAGES)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-parse-") as folder:
            times = _measure(Path(folder), arguments.rounds)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(["\n".join(f"- {note}" for note in notes), table(HEAD, _rows(times)), verdicts(_judge(times))]))
    return 0


def _measure(folder: Path, rounds: int) -> Times:
    # Airflow reads its home and settings when it is first imported.
    os.environ |= {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    # Installed packages are already compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    from benchmarks.parse import parsing
    from benchmarks.parse.dag_files import write_dag_files

    logging.disable(logging.INFO)
    with ProcessPoolExecutor(1, get_context("spawn")) as other_process:
        files = other_process.submit(write_dag_files, folder).result()
    sys.path.insert(0, str(folder))
    ways: dict[str, tuple[Callable[[Path], float], int]] = {
        "in the dag processor": (parsing.in_a_fork, rounds * 10),
        "in a fresh process": (parsing.in_a_fresh_process, rounds),
    }
    times: Times = defaultdict(lambda: defaultdict(list))
    for way, (parse, repeats) in ways.items():
        say(f"{way}: {repeats} rounds of {len(files)} files")
        for number in range(-1, repeats):
            for file in files:
                for form, path in (("plain", file.plain), ("ours", file.ours)):
                    seconds = parse(path)
                    if number >= 0:  # the first round compiles
                        times[way, file.name][form].append(seconds)
    return times


# The fastest of each: other load on the machine only adds time.
def _rows(times: Times) -> Iterator[list[str]]:
    for (way, name), forms in times.items():
        plain, ours = min(forms["plain"]), min(forms["ours"])
        yield [way, name, f"{plain * 1000:.1f}", f"{ours * 1000:.1f}", f"{ours / plain:.2f}"]


def _judge(times: Times) -> Iterator[Target]:
    for (way, name), forms in times.items():
        ratio = min(forms["ours"]) / min(forms["plain"])
        yield Target(f"{name}, {way}: at most {MOST:.2f} x plain", f"{ratio:.2f} x", ratio <= MOST)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parse", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
