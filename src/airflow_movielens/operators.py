"""The operators: fetch ratings to a file, rank files, rank straight from the API."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.arguments import whole_number
from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch import LogProgress, fetch_ratings, fetched_rows
from airflow_movielens.client.fetch.reading import attempts
from airflow_movielens.failures import StoppableMixin, clear_failures
from airflow_movielens.hooks import MovielensHook
from airflow_movielens.ranking import add_titles, rank_large, ranking_method
from airflow_movielens.ratings.formats import FileFormat
from airflow_movielens.ratings.reading import scan_files
from airflow_movielens.ratings.schema import MOVIES, RATINGS
from airflow_movielens.storage import local_inputs, output_of, write_output
from airflow_movielens.task_state import checkpoints_of
from airflow_movielens.window import resolve_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    import polars as pl
    from airflow.sdk import Context

    from airflow_movielens.storage import Manifest


log = logging.getLogger(__name__)

_NOT_SERVED = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


class MovielensFetchRatingsOperator(StoppableMixin, BaseOperator):
    """Fetches the ratings of a window into a file, exactly: one state of the server's data, whole or not at all.

    A retry goes on where a killed try stopped. Returns the small manifest that also lies beside the file, never rows.

    Args:
        output_path: The file to write, local or a URL; its ending tells the format (``.json``, ``.ndjson``, ``.csv``,
            ``.parquet``).
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day no longer wanted; None likewise.
        batch_size: Rows to ask for in one request; None for the connection's page size.
        concurrency: How many requests may be under way at once; None for the connection's number.
        on_bad_rows: What becomes of rows that break the contract: ``fail`` fails the task, ``quarantine`` puts them
            into a file of their own, named like the output with ``.quarantine.ndjson`` behind it.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = (
        "output_path",
        "conn_id",
        "_start_date",
        "_end_date",
        "batch_size",
        "concurrency",
        "on_bad_rows",
    )

    def __init__(
        self,
        *,
        output_path: str,
        conn_id: str = MovielensHook.default_conn_name,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        on_bad_rows: Literal["fail", "quarantine"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.conn_id = conn_id
        self._start_date = start_date
        self._end_date = end_date
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.on_bad_rows = on_bad_rows

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch, write, and return the manifest."""
        with clear_failures(), MovielensHook(self.conn_id, concurrency=self._number("concurrency")) as hook:
            output = output_of(self.output_path)
            window = resolve_window(context, self._start_date, self._end_date)
            self.log.info("Fetching the ratings of %s from %s", window, hook.get_conn().base_url)
            manifest = fetch_ratings(
                hook.client,
                window,
                output,
                batch_size=self._number("batch_size"),
                on_bad_rows=self.on_bad_rows,
                checkpoints=checkpoints_of(context),
                progress=LogProgress(log),
            )
            self.log.info("Wrote %d ratings of %s to %s", manifest.rows, window, self.output_path)
            return manifest.to_dict()

    def _number(self, name: str) -> int | None:
        value = getattr(self, name)
        return None if value is None else whole_number(name, value)


class MovielensRankMoviesOperator(StoppableMixin, BaseOperator):
    """Ranks the movies in files of ratings.

    The ranking has movieId, title (if titles are known), avg_rating and num_ratings, by avg_rating, then num_ratings,
    both falling, then movieId. Returns a small manifest: ``path``, ``rows`` and ``files`` (how many were read).

    Args:
        input_path: Ratings: a path or glob, local or URL; what a fetch returned (``fetch.output``); or a list of these.
        output_path: The file to write; its ending tells the format.
        conn_id: The Airflow connection of an API to take titles from, if ``movies_path`` gives none.
        movies_path: A file with movieId and title, such as GroupLens' ``movies.csv``.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        method: How to rank; ``mean`` is by the mean rating.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = ("input_path", "output_path", "conn_id", "movies_path", "min_ratings")

    def __init__(
        self,
        *,
        input_path: str | Manifest | Iterable[str | Manifest],
        output_path: str,
        conn_id: str | None = None,
        movies_path: str | None = None,
        min_ratings: int = 3,
        method: str = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_path = input_path
        self.output_path = output_path
        self.conn_id = conn_id
        self.movies_path = movies_path
        self.min_ratings = min_ratings
        self.method = method

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Rank, write, and return the manifest."""
        with clear_failures(), local_inputs(self.input_path) as paths:
            FileFormat.of(self.output_path)
            method = ranking_method(self.method)
            ranking = rank_large(scan_files(paths, RATINGS), whole_number("min_ratings", self.min_ratings), method)
            write_output(self._with_titles(ranking.lazy()), self.output_path)
            self.log.info("Ranked %d movies of %d files into %s", len(ranking), len(paths), self.output_path)
            return {"path": self.output_path, "rows": len(ranking), "files": len(paths)}

    def _with_titles(self, ranking: pl.LazyFrame) -> pl.LazyFrame:
        if self.movies_path:
            with local_inputs(self.movies_path) as paths:
                return add_titles(ranking, scan_files(paths, MOVIES, ["movieId", "title"]).collect().lazy())
        if self.conn_id:
            with MovielensHook(self.conn_id) as hook:
                return add_titles(ranking, _movies(hook))
        return ranking


class MovielensPopularityOperator(StoppableMixin, BaseOperator):
    """Fetches a window and ranks it in one task, with memory bounded by the number of movies.

    Returns the top movies: ``[{"movieId", "title", "avg_rating", "num_ratings"}, …]``; ``title`` is None where the
    API does not know it.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day no longer wanted; None likewise.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        top_n: How many movies to return.
        method: How to rank; ``mean`` is by the mean rating.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = ("conn_id", "_start_date", "_end_date", "min_ratings", "top_n")

    def __init__(
        self,
        *,
        conn_id: str = MovielensHook.default_conn_name,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        min_ratings: int = 4,
        top_n: int = 5,
        method: str = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._start_date = start_date
        self._end_date = end_date
        self.min_ratings = min_ratings
        self.top_n = top_n
        self.method = method

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Fetch, rank, and return the top."""
        with clear_failures(), MovielensHook(self.conn_id) as hook:
            method = ranking_method(self.method)
            min_ratings = whole_number("min_ratings", self.min_ratings)
            top_n = whole_number("top_n", self.top_n)
            window = resolve_window(context, self._start_date, self._end_date)
            with fetched_rows(hook.client, window, LogProgress(log)) as ratings:
                top = rank_large(ratings, min_ratings, method).head(top_n)
            self.log.info("Ranked the ratings of %s", window)
            return add_titles(top.lazy(), _movies(hook)).collect().to_dicts()


def _movies(hook: MovielensHook) -> pl.LazyFrame:
    try:
        return _all_movies(hook).lazy()
    except FatalError as error:
        if error.exchange is None or error.exchange.status not in _NOT_SERVED:
            raise
        log.warning("The API serves no movies, so their titles stay empty [%s]", error.exchange)
        return MOVIES.empty().lazy()


def _all_movies(hook: MovielensHook) -> pl.DataFrame:
    import polars as pl

    frames: list[pl.DataFrame] = []
    for attempt in attempts():
        with attempt:
            frames = list(hook.client.get_movie_frames())
    return pl.concat([MOVIES.empty(), *frames])
