"""Rankings of more ratings than should be held in memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.ranking.rank import RANKING_ORDER, rank_checked

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.ranking.rank import RankingMethod

_ROWS_AT_ONCE = 2_000_000


def rank_large(ratings: pl.LazyFrame, min_ratings: int = 3, method: RankingMethod = rank_checked) -> pl.DataFrame:
    """Rank movies with memory bounded by the number of movies, not of ratings.

    A movie's ratings are needed together, other movies' are not: so movies are dealt into parts of about two million
    ratings, each part is ranked alone, and the rankings are merged.

    Args:
        ratings: userId, movieId, rating and timestamp, best scanned from files; read once per part.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        method: How to rank; see `ranking_method`.

    Returns:
        The ranking, as `rank_movies_by_rating` describes it.

    Raises:
        ValueError: ``min_ratings`` is below 1.
    """
    import polars as pl

    rows = ratings.select(pl.len()).collect(engine="streaming").item()
    parts = -(-rows // _ROWS_AT_ONCE) or 1
    rankings = [
        method(ratings.filter(pl.col("movieId").mod(parts) == part), min_ratings).collect(engine="streaming")
        for part in range(parts)
    ]
    return pl.concat(rankings).sort(list(RANKING_ORDER), descending=list(RANKING_ORDER.values()))
