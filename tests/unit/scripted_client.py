"""A client that gives batches that a test makes up, and outputs that a test watches."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import polars as pl
from unit.scripted_server import ratings

from airflow_movielens.client import (
    ClientSettings,
    Window,
)
from airflow_movielens.client.errors import BadRow
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.fetch.output import LocalFolder
from airflow_movielens.client.rows import Batch, Bookmark, Rows
from airflow_movielens.client.settings import Tuning
from airflow_movielens.ratings.schema import RATINGS

WINDOW = Window.of("1970-01-02", "1970-01-03")
FRAME = pl.DataFrame(ratings(1000), schema=RATINGS.polars_schema())
MANIFEST = ".r.csv.manifest.json"
# Parts do not end earlier on a busy machine, and no page is saved before.
ONE_PART = Tuning(part_seconds=3600.0, early_share=0.0, start_over_seconds=0.0)
SHORT_PARTS = replace(ONE_PART, part_rows=200)
EACH_PAGE = replace(ONE_PART, part_rows=300, early_share=1.0)


class ScriptedClient:
    """Gives the batches that a test makes up: 10 of 100 rows, those in ``bad`` with one bad row more."""

    settings = ClientSettings("http://api", page_size=100)

    def __init__(self, fail_at=None, error=None, bad=(), tuning=ONE_PART):
        self.fail_at, self.error, self.bad, self.tuning = fail_at, error, bad, tuning
        self.begun_at = []
        self.before_batch = lambda number: None

    def read(self, options, bookmark):
        assert options.window == WINDOW
        first = 0 if bookmark is None else bookmark.count // 100
        self.begun_at.append(first)
        for number in range(first, 10):
            self.before_batch(number)
            if number == self.fail_at:
                raise self.error
            bad = (BadRow(f"http://api?{number}", 7, "rating", "found 9.0", {"rating": 9.0}),) * (number in self.bad)
            rows = Rows(FRAME[number * 100 : (number + 1) * 100], 100 + len(bad), bad=bad)
            yield Batch(rows, Bookmark("offset", number * 100 + 100, 100, 1000, snapshot="s7"), number == 9)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def fetch(client, path, **arguments):
    return fetch_ratings(client, WINDOW, LocalOutput(path), **arguments)


class WatchedFolder(LocalFolder):
    """A local folder that calls a function with each part before it is durable."""

    def __init__(self, path, before_part):
        super().__init__(path)
        self._before_part = before_part

    def save(self, name):
        self._before_part(name)
        super().save(name)


class WatchedOutput(LocalOutput):
    """A local output that calls a function with each part before it is durable."""

    def __init__(self, path, before_part):
        super().__init__(path)
        self._before_part = before_part

    @contextmanager
    def folder(self, key):
        with super().folder(key) as folder:
            yield WatchedFolder(folder.local, self._before_part)
