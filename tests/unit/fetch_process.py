"""A fetch in a separate process that kills itself at a chosen place: ``python fetch_process.py URL PATH [PLACE [N]]``.

PLACE names a function as ``module:name``, where the module defines or calls it; the process dies at its Nth call, from 1.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from importlib import import_module
from itertools import count
from operator import attrgetter
from pathlib import Path

from unit.moments import when_called

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning

# Parts do not end earlier on a busy machine.
TUNING = Tuning(part_rows=100, part_seconds=3600.0, start_over_seconds=0.0)


def deadly(place, nth):
    module_name, _, name = place.partition(":")
    module = import_module(f"airflow_movielens.client.fetch.{module_name}")
    numbers = count(1)

    def die(frame):
        files = {frame.f_code.co_filename, frame.f_back.f_code.co_filename}
        if module.__file__ in files and next(numbers) == nth:
            if name == "write_rows":  # in the middle of it
                frame.f_locals["path"].write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)

    return when_called(attrgetter(name)(module), die)


def fetch(url, path, **settings):
    with MovielensClient(url, tuning=TUNING, **{"page_size": 50} | settings) as client:
        return fetch_ratings(client, Window.of("1970-01-02", "1970-01-03"), LocalOutput(Path(path)))


if __name__ == "__main__":
    with deadly(sys.argv[3], int((sys.argv[4:] or ["1"])[0])) if sys.argv[3:] else nullcontext():
        fetch(*sys.argv[1:3])
