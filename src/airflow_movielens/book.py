"""The names that the Dags of "Data Pipelines with Apache Airflow" (second edition) import, with the book's meanings.

See docs/from-the-book.md for the names and their differences from the rest of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import MovielensFetchRatingsOperator
from airflow_movielens.sensors import MovielensRatingsSensor

if TYPE_CHECKING:
    from datetime import date, timedelta

    import pandas as pd

__all__ = [
    "MovielensFetchRatingsOperator",
    "MovielensHook",
    "MovielensRatingsSensor",
    "MovielensSensorAsync",
    "rank_movies_by_rating",
]

_COLUMNS = ("movieId", "rating", "userId")


class MovielensSensorAsync(MovielensRatingsSensor):
    """A deferred `MovielensRatingsSensor` with the arguments of the book: it waits in the triggerer for ratings.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: The UTC day after the last; None likewise.
        sleep_interval: Seconds between two polls.
        execution_timeout: How long to wait, unless ``timeout`` is given too.
        **kwargs: Further arguments of `MovielensRatingsSensor`.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        sleep_interval: float = 30,
        execution_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        waiting: dict[str, Any] = {"poke_interval": sleep_interval, "deferrable": True}
        if execution_timeout is not None:
            waiting["timeout"] = execution_timeout
        super().__init__(
            conn_id=conn_id,
            start_date=start_date,
            end_date=end_date,
            execution_timeout=execution_timeout,
            **(waiting | kwargs),
        )


def rank_movies_by_rating(ratings: pd.DataFrame, min_ratings: int = 2) -> pd.DataFrame:
    """Rank movies by their mean rating, as the book does.

    Args:
        ratings: A pandas dataframe with the columns userId, movieId and rating. Without rows it may lack them, as
            ``pandas.read_json`` gives it for a day without ratings.
        min_ratings: Movies rated by *more* distinct users than this are kept.

    Returns:
        A pandas dataframe with the index movieId and the columns avg_rating and num_ratings, by avg_rating, then
        num_ratings, both descending.

    Raises:
        TypeError: ``ratings`` is not a pandas dataframe.
        ValueError: A column is missing.
    """
    if not hasattr(ratings, "groupby"):
        kind = f"{type(ratings).__module__}.{type(ratings).__qualname__}"
        raise TypeError(
            f"ratings is a {kind}: give a pandas DataFrame, or use airflow_movielens.ranking, which ranks other "
            "dataframes too"
        )
    missing = [name for name in _COLUMNS if name not in ratings.columns]
    if missing and len(ratings):
        raise ValueError(f"the ratings lack the columns {', '.join(missing)}")
    movies = ratings.reindex(columns=list(_COLUMNS)).groupby("movieId")
    ranking = movies["rating"].mean().to_frame("avg_rating").assign(num_ratings=movies["userId"].nunique())
    kept = ranking[ranking["num_ratings"] > min_ratings]
    return kept.sort_values(["avg_rating", "num_ratings"], ascending=False)
