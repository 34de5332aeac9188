"""Rankings of more ratings than should be held in memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.ranking.rank import METHODS, RANKING_ORDER

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 2_000_000


def rank_large(ratings: pl.LazyFrame, min_ratings: int = 3, method: str = "mean") -> pl.DataFrame:
    """Rank movies with memory bounded by the number of movies, not of ratings.

    A movie's ratings are needed together, other movies' are not: so movies are dealt into parts of about two million
    ratings, each part is ranked alone, and the rankings are merged.

    Args:
        ratings: userId, movieId, rating and timestamp, best scanned from files; read once per part.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        method: One of `METHODS`.

    Returns:
        The ranking, as `rank_movies_by_rating` describes it.

    Raises:
        ValueError: ``min_ratings`` is below 1, or there is no such method.
    """
    import polars as pl

    if method not in METHODS:
        raise ValueError(f"there is no ranking method {method!r}: use one of {', '.join(METHODS)}")
    rows = ratings.select(pl.len()).collect(engine="streaming").item()
    parts = -(-rows // _ROWS_AT_ONCE) or 1
    rankings = [
        METHODS[method](ratings.filter(pl.col("movieId").mod(parts) == part), min_ratings).collect(engine="streaming")
        for part in range(parts)
    ]
    return pl.concat(rankings).sort(list(RANKING_ORDER), descending=list(RANKING_ORDER.values()))
