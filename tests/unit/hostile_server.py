"""`movielens-api serve --hostile` in a separate process."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unit.warm_processes import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = "tester"
PASSWORD = "t%st:p@ss/word"
_STARTS_WITHIN = 60.0


@dataclass(frozen=True)
class RunningServer:
    """A running server.

    Attributes:
        base_url: Its URL.
        log: The file with its output.
    """

    base_url: str
    log: Path


@contextmanager
def serving(folder: Path, *profiles: str) -> Iterator[RunningServer]:
    """Serve the sample's ratings with these profiles, or without faults if there are none.

    Args:
        folder: The folder for data and log; several servers may share it.
        profiles: The names of the profiles.
    """
    log = folder / f"{'+'.join(profiles)}.log"
    log.write_bytes(b"")
    options = ["--hostile", ",".join(profiles)] if profiles else []
    command = ["serve", "--port", "0", "--user", USER, "--password", PASSWORD, "--data-dir", str(folder)]
    process = CONTEXT.Process(target=run, args=([*command, *options], log), daemon=True)
    process.start()
    try:
        yield RunningServer(_address(process, log), log)
    finally:
        process.kill()
        process.join()


def run(arguments: list[str], log: Path) -> None:
    """Run `movielens-api` in this process, with its output in a file."""
    from movielens_api.cli import main

    with log.open("w", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    raise SystemExit(main(arguments))


def _address(process: object, log: Path) -> str:
    until = time.monotonic() + _STARTS_WITHIN
    while process.is_alive() and time.monotonic() < until:
        with suppress(StopIteration):
            line = next(line for line in log.read_text().splitlines() if line.startswith("Listening on "))
            return line.split()[2]
        time.sleep(0.01)
    raise RuntimeError(f"the server did not start: {log.read_text()}")
