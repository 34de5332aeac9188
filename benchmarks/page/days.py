"""What the Dags of `dags/06_partitioned.py` do with many days: the records of it, and files of rankings.

Files of ratings are missing, because the page never reads them. Some days are empty, late, quarantined, failed or were
never fetched.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, Manifest
from airflow_movielens.ranking import RankingOptions
from airflow_movielens.ranking.manifest import InputFile, RankingManifest, RankingSources, RatingsFile
from airflow_movielens.storage.catalogue import Kind, Record, TaskRun
from airflow_movielens.storage.catalogue.records import facts_of, utc_second
from benchmarks.page.size import Size

RATINGS = "06_partitioned/ratings"
METHODS = ("bayesian", "trending")
TRAILING = 30
SOURCE = "http://127.0.0.1:5000"
# One of so many days is unusual. These numbers have no common factor.
EMPTY, QUARANTINED, LATE, FAILED, MISSING = 97, 50, 61, 211, 307
DAYS_UNTIL_LATE = 4
QUARANTINED_ROWS = 30


def movie_table(count: int) -> pl.DataFrame:
    """Return movieId, title, year and genres of movies.

    Args:
        count: The number of movies; their identifiers begin with 1.
    """
    genres = ["Adventure|Children", "Comedy|Romance", "Drama", "Horror|Thriller", "Action|Sci-Fi"]
    numbers = range(1, count + 1)
    return pl.DataFrame(
        {
            "movieId": numbers,
            "title": [f"The Adventures of Movie {number}" for number in numbers],
            "year": [1930 + number % 86 for number in numbers],
            "genres": [genres[number % len(genres)] for number in numbers],
        },
        schema_overrides={"movieId": pl.Int32, "year": pl.Int16},
    )


def run_id(dag_id: str, day: date) -> str:
    """Return the id of the Dag run for a day."""
    kind = "scheduled" if dag_id == "06_ratings" else "asset_triggered"
    return f"{kind}__{_moment(day, 1, 0).isoformat()}"


def quarantined_day(size: Size) -> date:
    """Return the last day with quarantined rows; the last day if there is none."""
    days = [day for number, day in enumerate(size.all_days) if number % QUARANTINED == QUARANTINED - 1]
    return days[-1] if days else size.all_days[-1]


class Days:
    """The days of a data root.

    Args:
        folder: The folder of the data root, to write to.
        address: The path or URL by which the records name it.
        size: Its size.

    Attributes:
        records: The records of fetches and rankings.
    """

    def __init__(self, folder: Path, address: str, size: Size) -> None:
        self.records: list[Record] = []
        self._folder = folder
        self._address = address
        self._size = size
        self._random = np.random.default_rng(16)
        self._fetched: dict[date, RatingsFile] = {}

    def record_all(self) -> None:
        """Make the records of all days, and write the samples of quarantined rows."""
        for number, day in enumerate(self._size.all_days, start=1):
            if number % MISSING == 0:
                continue
            self._fetch(day, _moment(day, 1, 1), is_empty=number % EMPTY == 0, is_bad=number % QUARANTINED == 0)
            if number % FAILED == 0:
                self._fail(day, _moment(day, 2, 1))
            self._rank(day, _moment(day, 1, 2))
            if number > DAYS_UNTIL_LATE and (number - DAYS_UNTIL_LATE) % LATE == 0:
                self._refetch(day - timedelta(days=DAYS_UNTIL_LATE))

    def write_rankings(self, movies: pl.DataFrame) -> None:
        """Write the files of rankings, with all movies in a random order that changes slowly."""
        quality = self._random.random(len(movies))
        for day in self._size.all_days[-self._size.ranked :]:
            for name in (f"{kind}/{method}/{day}.csv" for kind in ("rankings", "trailing") for method in METHODS):
                score = 3 * quality + self._random.random(len(movies))
                ranked = movies.with_columns(
                    score=pl.Series(score).round(6),
                    num_ratings=pl.Series((score * 250).astype(np.int64)),
                    avg_rating=pl.Series(score / 4 * 5).round(2),
                    num_likes=pl.Series((score * 90).astype(np.int64)),
                ).sort("score", descending=True)
                path = self._folder / "06_partitioned" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                ranked.with_row_index("rank", offset=1).write_csv(path)

    def _refetch(self, day: date) -> None:
        """Fetch a day again, with other content, and rank all windows with it again."""
        if day not in self._fetched:
            return
        at = _moment(day, DAYS_UNTIL_LATE + 1, 3)
        self._fetch(day, at, is_empty=False, is_bad=False, dag_id="06_late")
        for later in (day + timedelta(days=number) for number in range(DAYS_UNTIL_LATE + 1)):
            if later in self._fetched:
                self._rank(later, at + timedelta(hours=1))

    def _fetch(self, day: date, at: datetime, *, is_empty: bool, is_bad: bool, dag_id: str = "06_ratings") -> None:
        path = self._path(f"{RATINGS}/{day}.parquet")
        histogram = np.zeros(10, np.int64) if is_empty else self._random.poisson(15_000 * np.linspace(0.02, 0.18, 10))
        rows = int(histogram.sum())
        task = TaskRun(dag_id, run_id(dag_id, day), "fetch_ratings", -1, 1)
        manifest = Manifest(
            path=path,
            start_date=str(day),
            end_date=str(day + timedelta(days=1)),
            rows=rows,
            histogram=histogram.tolist(),
            quarantined=QUARANTINED_ROWS if is_bad else 0,
            quarantine_path=f"{path}{QUARANTINE_ENDING}" if is_bad else None,
            snapshot=f"s{at:%y%m%d%H}",
            sha256=sha256(f"{day} {at}".encode()).hexdigest(),
            bytes=9 * rows + 2000,
            source=SOURCE,
            fetched_at=at.isoformat(timespec="seconds"),
            package_version="1.0",
            task=task,
        )
        pages = 1 + rows // 10_000
        fetch = {"pages": pages, "requests_repeated": pages // 3, "seconds": 0.3 * pages, "resumed_rows": 0}
        self._add("fetch", at, path, task, facts_of({**manifest.to_dict(), "fetch": fetch}))
        self._fetched[day] = RatingsFile(
            path, manifest.sha256, manifest.bytes, rows, manifest.start_date, manifest.end_date
        )
        if is_bad:
            self._write_quarantine(self._folder / f"{RATINGS}/{day}.parquet{QUARANTINE_ENDING}")

    def _write_quarantine(self, path: Path) -> None:
        bad = {"userId": 7, "movieId": 3, "rating": 4.7, "timestamp": 1449273600}
        problem = "found 4.7, expected 0.5 to 5.0 in steps of 0.5"
        row = {"url": f"{SOURCE}/ratings?offset=0", "column": "rating", "problem": problem, "row": bad}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({**row, "number": number}) + "\n" for number in range(QUARANTINED_ROWS))
        path.write_text("".join(lines), encoding="utf-8")

    def _fail(self, day: date, at: datetime) -> None:
        facts = {"start_date": str(day), "end_date": str(day + timedelta(days=1))}
        task = TaskRun("06_ratings", run_id("06_ratings", day), "fetch_ratings", -1, 3)
        error = f"GET {SOURCE}/ratings returned 503: the API is being restarted"
        self._add("fetch", at, self._path(f"{RATINGS}/{day}.parquet"), task, facts, error=error)

    def _rank(self, day: date, at: datetime) -> None:
        """Rank a day, and the 30 days until it, which is compared with the 30 days until the day before."""
        today, before = self._inputs(day), self._inputs(day - timedelta(days=1))
        for method in METHODS:
            self._rank_files("06_rank", f"rankings/{method}/{day}.csv", method, today[-1:], at)
            if before:
                self._rank_files("06_trailing", f"trailing/{method}/before/{day}.csv", method, before, at)
            self._rank_files("06_trailing", f"trailing/{method}/{day}.csv", method, today, at)

    def _inputs(self, last: date) -> list[RatingsFile]:
        window = [last - timedelta(days=number) for number in reversed(range(TRAILING))]
        return [self._fetched[day] for day in window if day in self._fetched]

    def _rank_files(self, dag_id: str, name: str, method: str, inputs: list[RatingsFile], at: datetime) -> None:
        path = self._path(f"06_partitioned/{name}")
        day = date.fromisoformat(name[-14:-4])
        task_id = f"rank_{method}_before" if "/before/" in name else f"rank_{method}"
        task = TaskRun(dag_id, run_id(dag_id, day), task_id, -1, 1)
        ranking = InputFile(path, sha256(f"{name} {at}".encode()).hexdigest(), 1_800_000)
        sources = RankingSources(inputs, [], SOURCE, [])
        manifest = RankingManifest.of(ranking, self._size.movies, RankingOptions(method=method), sources)
        facts = facts_of(replace(manifest, ranked_at=at.isoformat(), task=task).to_dict())
        self._add("ranking", at, path, task, facts)

    def _path(self, name: str) -> str:
        return f"{self._address}/{name}"

    def _add(
        self, kind: Kind, at: datetime, path: str, task: TaskRun, facts: dict[str, Any], *, error: str | None = None
    ) -> None:
        self.records.append(Record(kind, utc_second(at), path, error is None, error, task, facts))


def _moment(day: date, days: int, hour: int) -> datetime:
    """Return an hour of a later day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(days=days)
