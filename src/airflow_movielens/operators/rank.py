"""The operator that ranks the movies in files of ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_movielens.arguments import whole_number
from airflow_movielens.failures import StoppableMixin, clear_failures
from airflow_movielens.hooks import MovielensHook

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    from airflow.sdk import Context

    from airflow_movielens.storage import Manifest


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
        from airflow_movielens.ranking import rank_large, ranking_method
        from airflow_movielens.ratings.formats import FileFormat
        from airflow_movielens.ratings.reading import scan_files
        from airflow_movielens.ratings.schema import RATINGS
        from airflow_movielens.storage import local_inputs, write_output

        with clear_failures(), local_inputs(self.input_path) as paths:
            FileFormat.of(self.output_path)
            method = ranking_method(self.method)
            ranking = rank_large(scan_files(paths, RATINGS), whole_number("min_ratings", self.min_ratings), method)
            write_output(self._with_titles(ranking.lazy()), self.output_path)
            self.log.info("Ranked %d movies of %d files into %s", len(ranking), len(paths), self.output_path)
            return {"path": self.output_path, "rows": len(ranking), "files": len(paths)}

    def _with_titles(self, ranking: pl.LazyFrame) -> pl.LazyFrame:
        from airflow_movielens.operators.titles import movies_of_api
        from airflow_movielens.ranking import add_titles
        from airflow_movielens.ratings.reading import scan_files
        from airflow_movielens.ratings.schema import MOVIES
        from airflow_movielens.storage import local_inputs

        if self.movies_path:
            with local_inputs(self.movies_path) as paths:
                return add_titles(ranking, scan_files(paths, MOVIES, ["movieId", "title"]).collect().lazy())
        if self.conn_id:
            with MovielensHook(self.conn_id) as hook:
                return add_titles(ranking, movies_of_api(hook))
        return ranking
