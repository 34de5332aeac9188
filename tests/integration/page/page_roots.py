"""A data root as the example Dags leave it after years, with a day for everything that may be wrong with one.

The files of ratings are real, with one Parquet file per day; so are the newest rankings. Of older rankings there are only
the records. The files of an earlier fetch and of a failed one are gone, as in a real root.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, Manifest
from airflow_movielens.ranking import RankingOptions
from airflow_movielens.ranking.manifest import RankingManifest, RankingSources, RatingsFile
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.storage.catalogue import Catalogue, Kind, Record, TaskRun
from airflow_movielens.storage.catalogue.records import facts_of
from airflow_movielens.storage.files import write_ranking
from airflow_movielens.storage.input_facts import input_file
from airflow_movielens.storage.rank import rank_files

RATINGS_FOLDER = "06_partitioned/ratings"
OTHER_FOLDER = "05_pipeline/ratings"
METHODS = ("bayesian", "trending")
TRAILING = 30
LATENESS = 4
"""How many days after a day its late ratings are fetched."""
SOURCE = "http://127.0.0.1:5000"
ERROR = "GET http://127.0.0.1:5000/ratings returned 503: the API is being restarted"
BAD_ROW = {"userId": 7, "movieId": 3, "rating": 4.7, "timestamp": 1449273600}


@dataclass(frozen=True)
class PageRoot:
    """A data root, and its days with something wrong.

    Attributes:
        path: The folder.
        days: All days, the last one included.
        movies: movieId, title, year and genres of all movies.
    """

    path: Path
    days: list[date]
    movies: pl.DataFrame

    @property
    def never_there(self) -> date:
        """The last day: its only fetch failed."""
        return self.days[-1]

    @property
    def failed_again(self) -> date:
        """Fetched, and the fetch after that failed."""
        return self.days[-4]

    @property
    def quarantined(self) -> date:
        return self.days[-6]

    @property
    def missing(self) -> list[date]:
        """Three days that were never fetched."""
        return self.days[-11:-8]

    @property
    def outdated(self) -> date:
        """Changed after it was ranked, and not ranked again."""
        return self.days[-16]

    @property
    def late(self) -> date:
        """Changed after it was ranked, and ranked again."""
        return self.days[-21]

    @property
    def unusual(self) -> date:
        """With many more ratings than the days before."""
        return self.days[-31]

    @property
    def empty(self) -> date:
        return self.days[-41]

    def ratings(self, day: date) -> Path:
        return self.path / RATINGS_FOLDER / f"{day}.parquet"


def write_root(path: Path, *, days: int = 1096, last: date = date(2015, 12, 31), movies: int = 200, ranked: int = 0):
    """Write a data root with its catalogue.

    Args:
        path: An empty folder.
        days: The number of days; at least 48.
        last: The last day.
        movies: The number of movies.
        ranked: For how many of the last days there are files of rankings.
    """
    root = PageRoot(path, [last - timedelta(days=number) for number in reversed(range(days))], movie_table(movies))
    writer = _Writer(root)
    writer.fetch_all()
    writer.rank_all(ranked)
    writer.fetch_elsewhere()
    catalogue = Catalogue(str(path))
    catalogue.save_movies(root.movies)
    catalogue.add_all(sorted(writer.records, key=lambda record: record.at))
    return root


def movie_table(count: int) -> pl.DataFrame:
    kinds = ["Adventure", "Comedy|Romance", "Drama", "Horror|Thriller", "Sci-Fi"]
    return pl.DataFrame(
        {
            "movieId": range(1, count + 1),
            "title": [f"Movie {number}" for number in range(1, count + 1)],
            "year": [1980 + number % 36 for number in range(1, count + 1)],
            "genres": [kinds[number % len(kinds)] for number in range(1, count + 1)],
        },
        schema_overrides={"movieId": pl.Int32, "year": pl.Int16},
    )


class _Writer:
    def __init__(self, root: PageRoot) -> None:
        self.records: list[Record] = []
        self._root = root
        self._random = Random(15)  # the same root each time
        self._files: dict[date, RatingsFile] = {}

    def fetch_all(self) -> None:
        (self._root.path / RATINGS_FOLDER).mkdir(parents=True)
        for day in self._root.days:
            if day == self._root.never_there:
                self._fail(day, day_after(day, 1))
            elif day not in self._root.missing:
                self._fetch(day, day_after(day, 1))
        self._fail(self._root.failed_again, day_after(self._root.failed_again, 2))

    def rank_all(self, ranked: int) -> None:
        """Rank each day, and the 30 days until it. Two days change meanwhile, and one of them is ranked again."""
        fetched = [day for day in self._root.days if day in self._files]
        with_files = set(fetched[len(fetched) - ranked :])
        for day in fetched:
            changed = day - timedelta(days=LATENESS - 1)
            if changed in (self._root.late, self._root.outdated):
                self._fetch(changed, day_after(changed, LATENESS), dag="06_late")
            if changed == self._root.late:
                for number in range(LATENESS - 1):
                    last, at = changed + timedelta(days=number), day_after(changed, LATENESS, hours=2)
                    self._rank(last, at, write=last in with_files)
            self._rank(day, day_after(day, 1, hours=2), write=day in with_files)

    def fetch_elsewhere(self) -> None:
        """Fetch the newest month by another Dag, and the week before it in one file."""
        folder = self._root.path / OTHER_FOLDER
        folder.mkdir(parents=True)
        month = self._root.days[-40:-10]
        for day in month:
            self._write(folder / f"{day}.parquet", day, 1, day_after(day, 1), "05_pipeline")
        start = month[0] - timedelta(days=7)
        self._write(folder / "week.parquet", start, 7, day_after(month[0], 1), "05_pipeline")

    def _fetch(self, day: date, at: datetime, dag: str = "06_ratings") -> None:
        self._files[day] = self._write(self._root.ratings(day), day, 1, at, dag)

    def _write(self, path: Path, start: date, days: int, at: datetime, dag: str) -> RatingsFile:
        ratings = self._ratings(start, days)
        ratings.write_parquet(path)
        end = start + timedelta(days=days)
        quarantined = self._quarantine(path) if start == self._root.quarantined else 0
        content = path.read_bytes()
        task = TaskRun(dag, run_id(dag, start), "fetch_ratings", -1, 1)
        manifest = Manifest(
            path=str(path),
            start_date=str(start),
            end_date=str(end),
            rows=len(ratings),
            histogram=[int((ratings["rating"] == stars / 2).sum()) for stars in range(1, 11)],
            quarantined=quarantined,
            quarantine_path=f"{path}{QUARANTINE_ENDING}" if quarantined else None,
            snapshot=f"s{at:%y%m%d}",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            source=SOURCE,
            fetched_at=at.isoformat(timespec="seconds"),
            package_version="1.0",
            task=task,
        )
        path.with_name(f".{path.name}.manifest.json").write_text(manifest.to_json())
        fetch = {"pages": 1 + len(ratings) // 100, "requests_repeated": 0, "seconds": 0.4, "resumed_rows": 0}
        self._add("fetch", at, path, task, {**manifest.to_dict(), "fetch": fetch})
        return RatingsFile(str(path), manifest.sha256, len(content), len(ratings), str(start), str(end))

    def _ratings(self, start: date, days: int) -> pl.DataFrame:
        weekend = 60 if start.weekday() >= 5 else 0
        count = 0 if start == self._root.empty else 80 + weekend + self._random.randrange(60)
        count = 900 if start == self._root.unusual else count
        first = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
        movies = len(self._root.movies)
        rows = {
            "userId": [self._random.randrange(1, 500) for _ in range(count)],
            "movieId": [1 + int(movies * self._random.random() ** 2) for _ in range(count)],
            "rating": [min(10, max(1, round(self._random.gauss(7, 2)))) / 2 for _ in range(count)],
            "timestamp": sorted(first + self._random.randrange(86_400 * days) for _ in range(count)),
        }
        return pl.DataFrame(rows, schema=RATINGS.polars_schema())

    def _quarantine(self, path: Path) -> int:
        problem = "found 4.7, expected 0.5 to 5.0 in steps of 0.5"
        line = {"url": f"{SOURCE}/ratings?offset=0", "column": "rating", "problem": problem, "row": BAD_ROW}
        lines = [json.dumps({**line, "number": number}) + "\n" for number in range(30)]
        path.with_name(path.name + QUARANTINE_ENDING).write_text("".join(lines))
        return len(lines)

    def _fail(self, day: date, at: datetime) -> None:
        facts = {"start_date": str(day), "end_date": str(day + timedelta(days=1))}
        task = TaskRun("06_ratings", run_id("06_ratings", day), "fetch_ratings", -1, 3)
        self._add("fetch", at, self._root.ratings(day), task, facts, error=ERROR)

    def _rank(self, day: date, at: datetime, *, write: bool) -> None:
        window = [day - timedelta(days=number) for number in reversed(range(TRAILING))]
        for kind, days in (("rankings", [day]), ("trailing", window)):
            inputs = [self._files[each] for each in days if each in self._files]
            for method in METHODS:
                self._rank_files(f"{kind}/{method}/{day}.csv", method, inputs, day, at, write=write)

    def _rank_files(self, name: str, method: str, inputs: list[RatingsFile], day: date, at: datetime, *, write: bool):
        path = self._root.path / "06_partitioned" / name
        dag = "06_trailing" if name.startswith("trailing") else "06_rank"
        task = TaskRun(dag, run_id(dag, day), f"rank_{method}", -1, 1)
        options = RankingOptions(method=method, min_ratings=1)
        sources = RankingSources(inputs, [], SOURCE, [])
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            ranking, _ = rank_files([each.path for each in inputs], options, self._root.movies, None)
            manifest = write_ranking(ranking, str(path), options, sources, task)
        else:
            of_ratings = input_file(inputs[-1].path, Path(inputs[-1].path))
            manifest = RankingManifest.of(replace(of_ratings, path=str(path)), 100, options, sources, task)
        facts = {**manifest.to_dict(), "ranked_at": at.isoformat(timespec="seconds")}
        self._add("ranking", at, path, task, facts_of(facts))

    def _add(self, kind: Kind, at: datetime, path: Path, task: TaskRun, facts: dict[str, Any], *, error=None):
        self.records.append(Record(kind, f"{at:%Y-%m-%dT%H:%M:%SZ}", str(path), error is None, error, task, facts))


def day_after(day: date, days: int, *, hours: int = 1) -> datetime:
    return datetime(day.year, day.month, day.day, hours, tzinfo=UTC) + timedelta(days=days)


def run_id(dag: str, day: date) -> str:
    kind = "scheduled" if dag in ("05_pipeline", "06_ratings") else "asset_triggered"
    return f"{kind}__{day_after(day, 1, hours=0).isoformat()}"
