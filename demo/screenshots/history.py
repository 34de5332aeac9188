"""What is older than the demo: two years of days, rankings of the last ones; and a rating that comes late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import requests

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.ranking import RankingOptions
from airflow_movielens.ranking.manifest import RankingSources
from airflow_movielens.storage.catalogue.rebuilding import rebuild
from airflow_movielens.storage.files import write_ranking
from airflow_movielens.storage.rank import rank_files
from demo.configuration import API_USER
from demo.pipeline import FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.stack import Stack

DAYS = 730
RANKED = 90
TRAILING = 30
METHODS = ("bayesian", "trending")
LATE_DAY = FIRST_DAY + timedelta(days=5)
LATE_USER, LATE_MOVIE = 600, 1


def write_history(stack: Stack) -> None:
    """Fetch two years of days, rank the 30 days until each of the last ones, and make the catalogue of them."""
    ratings = stack.layout.data / "05_pipeline" / "ratings"
    rankings = stack.layout.data / "05_pipeline" / "rankings" / "trailing"
    days = [FIRST_DAY - timedelta(days=number) for number in reversed(range(1, DAYS + 1))]
    with MovielensClient(stack.api_address, API_USER, stack.credentials.api_password) as client:
        for day in days:
            output = LocalOutput(str(_file_of(ratings, day)))
            fetch_ratings(client, Window(day, day + timedelta(days=1)), output)
        movies = pl.concat(client.get_movie_frames())
    for day in days[-RANKED:]:
        files = [str(_file_of(ratings, each)) for each in _window(day)]
        for method in METHODS:
            options = RankingOptions(method=method)
            ranking, inputs = rank_files(files, options, movies, None)
            output_path = rankings / method / f"{day}.csv"
            output_path.parent.mkdir(parents=True, exist_ok=True)
            write_ranking(ranking, str(output_path), options, RankingSources(inputs, [], stack.api_address, []))
    rebuild(str(stack.layout.data), lambda _: None)


def add_late_rating(stack: Stack) -> None:
    """Let a user rate a movie on a day of the demo, which has been fetched."""
    noon = datetime(LATE_DAY.year, LATE_DAY.month, LATE_DAY.day, 12, tzinfo=UTC)
    rating = {"userId": LATE_USER, "movieId": LATE_MOVIE, "rating": 4.5, "timestamp": int(noon.timestamp())}
    with requests.Session() as session:
        session.trust_env = False  # no proxy for our own loopback calls
        session.auth = (API_USER, stack.credentials.api_password)
        session.post(f"{stack.api_address}/ratings", json=[rating], timeout=60).raise_for_status()


def _file_of(folder: Path, day: date) -> Path:
    return folder / f"{day}.parquet"


def _window(last: date) -> Iterator[date]:
    return (last - timedelta(days=number) for number in reversed(range(TRAILING)))
