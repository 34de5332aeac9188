"""The operator that fetches and ranks in one task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import whole_number
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.task_errors import StoppableMixin, clear_failures
from airflow_movielens.window import WindowMixin, resolve_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from airflow.sdk import Context

log = logging.getLogger(__name__)


class MovielensPopularityOperator(LineageMixin, StoppableMixin, WindowMixin, BaseOperator):
    """Fetch a window and rank its movies in one task, with memory bounded by the number of movies.

    The return value is the top of the ranking: ``[{"movieId", "title", "avg_rating", "num_ratings"}, …]``; ``title`` is
    None if the API does not know it.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day after the window; None likewise.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        top_n: How many movies to return.
        method: ``mean``, ``bayesian``, ``wilson``, ``imdb``, ``popular`` or ``trending``. Rows of the others have the
            columns of `airflow_movielens.ranking.rank_movies`.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = ("conn_id", "_start_date", "_end_date", "min_ratings", "top_n", "method")

    def __init__(
        self,
        *,
        conn_id: str = "movielens_default",
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        min_ratings: int = 4,
        top_n: int = 5,
        method: str = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._start_date = self._given_bound("start_date", start_date, kwargs["default_args"])
        self._end_date = self._given_bound("end_date", end_date, kwargs["default_args"])
        self.min_ratings = min_ratings
        self.top_n = top_n
        self.method = method

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Fetch, rank, and return the top of the ranking."""
        import polars as pl

        from airflow_movielens.client.fetch import LogProgress, fetched_rows
        from airflow_movielens.client.fetch.movies import movies_of_api
        from airflow_movielens.hooks import MovielensHook
        from airflow_movielens.lineage import parameters_of_ranking, table_of_api
        from airflow_movielens.ranking import RankingOptions, rank_large
        from airflow_movielens.ratings.schema import MOVIES, RATINGS

        with clear_failures(), MovielensHook(self.conn_id) as hook:
            options = RankingOptions(self.method, whole_number("min_ratings", self.min_ratings))
            top_n = whole_number("top_n", self.top_n)
            window = resolve_window(context, self._start_date, self._end_date)
            with fetched_rows(hook.client, window, LogProgress(log)) as ratings:
                rows = ratings.select(pl.len()).collect().item()
                movies = movies_of_api(hook.client)
                top = rank_large(ratings, options, movies).head(top_n)
            self.log.info("Ranked the %d ratings of %s", rows, window)
            base_url = hook.get_conn().base_url
            self._inputs = [
                table_of_api(base_url, RATINGS, rows, window=window),
                table_of_api(base_url, MOVIES, len(movies)),
            ]
            self._parameters = parameters_of_ranking(options)
            return top.to_dicts()
