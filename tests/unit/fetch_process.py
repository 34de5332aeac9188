"""A fetch in a separate process that kills itself at a chosen place: ``python fetch_process.py URL PATH [PLACE [N]]``.

PLACE names a function as ``module:name``; the process dies when it is called for the Nth time, from 1.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning

# Parts do not end earlier on a busy machine.
TUNING = Tuning(part_rows=100, part_seconds=3600.0)


def die_at(place, nth):
    module, _, name = place.partition(":")
    *owners, name = name.split(".")
    owner = import_module(f"airflow_movielens.client.fetch.{module}")
    for part in owners:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), []

    def deadly(*arguments, **named):
        calls.append(arguments)
        if len(calls) == nth:
            if name == "write_rows":  # in the middle of it
                arguments[1].write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(owner, name, deadly)


def fetch(url, path, **settings):
    with MovielensClient(url, tuning=TUNING, **{"page_size": 50} | settings) as client:
        return fetch_ratings(client, Window.of("1970-01-02", "1970-01-03"), LocalOutput(Path(path)))


if __name__ == "__main__":
    if sys.argv[3:]:
        die_at(sys.argv[3], int((sys.argv[4:] or ["1"])[0]))
    fetch(*sys.argv[1:3])
