"""Kill the server repeatedly while clients post, and count lost, duplicated and torn posts: there should be none.

`python -m benchmarks.api.kill_9 --kills 50`. The log is compacted every few hundred rows, so that kills hit compactions
too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROWS_PER_GENERATION = 300
MAX_ROWS_PER_POST = 20
CREATED = 201
AUTH = {"Authorization": "Basic bW92aWVsZW5zOm1vdmllbGVucw=="}
SERVER = f"""
from functools import partialmethod
from movielens_api.cli import main
from movielens_api.store import Store
# A patch, because the command has no such option.
Store.__init__ = partialmethod(Store.__init__, compact_after={ROWS_PER_GENERATION})
main()
"""
Key = tuple[int, int, int]


@dataclass(eq=False)
class Batch:
    """A post, acknowledged or not; it is sent again after the restart if it has a key."""

    rows: list[dict[str, Any]]
    key: str | None
    is_acknowledged: bool = False

    def identities(self) -> list[Key]:
        """Return the identities of its ratings."""
        return [key_of(row) for row in self.rows]


@dataclass
class Result:
    """The fate of all posts."""

    kills: int = 0
    batches: list[Batch] = field(default_factory=list)
    resent: int = 0
    generations: int = 0
    lost: int = 0
    duplicated: int = 0
    torn: int = 0

    def __str__(self) -> str:
        acknowledged = [batch for batch in self.batches if batch.is_acknowledged]
        return (
            f"{self.kills} kills, {len(acknowledged):,} of {len(self.batches):,} posts acknowledged "
            f"({sum(len(batch.rows) for batch in acknowledged):,} ratings, {self.resent:,} posts sent again), "
            f"{self.generations} generations written: lost {self.lost}, duplicated {self.duplicated}, torn {self.torn}"
        )


def campaign(kills: int, folder: Path, writers: int = 4, seed: int = 0) -> Result:
    """Kill a server several times.

    Args:
        kills: How many times.
        folder: The folder for its dataset and data.
        writers: The number of clients that post at once.
        seed: The seed of the moments and posts.

    Returns:
        The result after the last restart; each restart is checked too.
    """
    chance = random.Random(seed)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,1\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,One (2001),Drama\n")
    result, numbers = Result(), count(2)
    for number in range(kills + 1):
        with running(folder) as (process, port):
            resend(result, port)
            check(result, port, folder)
            if number < kills:
                moment = chance.uniform(0.05, 1.0)
                hammer(process, port, moment, [Writer(result, numbers, chance.random()) for _ in range(writers)])
                result.kills += 1
    return result


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server, and yield its process and port."""
    options = ["serve", "--dataset", str(folder), "--data-dir", str(folder / "data"), "--port", "0"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("API_")}
    command = [sys.executable, "-c", SERVER, *options]
    with (
        (folder / "errors").open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ) as process,
    ):
        try:
            assert process.stdout  # noqa: S101 - it is a pipe
            found = next(filter(None, (re.search(r"http://127.0.0.1:(\d+)", line) for line in process.stdout)), None)
            if not found:
                raise RuntimeError(f"the server did not start: {(folder / 'errors').read_text()}")
            yield process, int(found[1])
        finally:
            process.kill()


@dataclass
class Writer:
    """A client that posts until the server has gone."""

    result: Result
    numbers: Iterator[int]
    seed: float

    def run(self, port: int) -> None:
        """Post batches, and record which ones are acknowledged."""
        chance = random.Random(self.seed)
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        with suppress(OSError, HTTPException):
            while True:
                rows = [self._row(next(self.numbers), chance) for _ in range(chance.randint(1, MAX_ROWS_PER_POST))]
                key = f"key-{rows[0]['timestamp']}" if chance.random() < 0.5 else None  # noqa: PLR2004 - every other
                batch = Batch(rows, key)
                self.result.batches.append(batch)
                batch.is_acknowledged = send(connection, batch)

    def _row(self, number: int, chance: random.Random) -> dict[str, Any]:
        # Every rating is distinct, anywhere among the others.
        return {
            "userId": chance.randint(1, 1000),
            "movieId": chance.randint(1, 1000),
            "rating": 3.5,
            "timestamp": number,
        }


def hammer(process: subprocess.Popen[str], port: int, seconds: float, writers: list[Writer]) -> None:
    """Let clients post, and kill the server after a while."""
    threads = [threading.Thread(target=writer.run, args=(port,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    process.kill()
    for thread in threads:
        thread.join()


def send(connection: HTTPConnection, batch: Batch) -> bool:
    """Post a batch, and return whether it was acknowledged."""
    headers = {**AUTH, "Content-Type": "application/json", **({"Idempotency-Key": batch.key} if batch.key else {})}
    connection.request("POST", "/ratings", json.dumps(batch.rows), headers)
    response = connection.getresponse()
    response.read()
    return response.status == CREATED


def resend(result: Result, port: int) -> None:
    """Send again the batches that have a key and no response, as a careful client does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    for batch in result.batches:
        if batch.key and not batch.is_acknowledged:
            batch.is_acknowledged = send(connection, batch)
            result.resent += 1


def check(result: Result, port: int, folder: Path) -> None:
    """Compare the served ratings with the posted ones."""
    served = Counter(fetch(port))
    logged, result.generations = look_inside(folder)
    result.lost = sum(
        key not in served for batch in result.batches if batch.is_acknowledged for key in batch.identities()
    )
    result.duplicated = sum(times > 1 for times in (*served.values(), *logged.values()))
    there = [[key in served for key in batch.identities()] for batch in result.batches]
    result.torn = sum(any(each) and not all(each) for each in there)


def fetch(port: int) -> list[Key]:
    """Return all served ratings."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/ratings", headers={**AUTH, "Accept": "application/x-ndjson"})
    return [key_of(json.loads(line)) for line in connection.getresponse().read().splitlines()]


def look_inside(folder: Path) -> tuple[Counter[Key], int]:
    """Return how often each rating is in the log, and how many generations were written."""
    [database] = folder.glob("data/store/*/ratings.db")
    connection = sqlite3.connect(database)
    logged = connection.execute("SELECT userId, movieId, timestamp FROM log").fetchall()
    [generations] = connection.execute("SELECT max(number) FROM generations").fetchone()
    connection.close()
    return Counter(logged), generations


def key_of(row: dict[str, Any]) -> Key:
    """Return the identity of a rating."""
    return row["userId"], row["movieId"], row["timestamp"]


def main() -> int:
    """Run a campaign, and fail if anything was lost, duplicated or torn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        result = campaign(arguments.kills, Path(folder), arguments.writers, arguments.seed)
    print(result)
    return 1 if result.lost or result.duplicated or result.torn else 0


if __name__ == "__main__":
    sys.exit(main())
