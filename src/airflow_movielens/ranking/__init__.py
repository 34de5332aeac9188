"""Statistics over ratings, without Airflow and HTTP.

- ``rank``: movies ranked by their ratings, with titles, by genre, and compared to an earlier ranking.
- ``options``: how to rank, checked.
- ``methods``: the statistics that movies are ranked by, with their formulas.
- ``movie_statistics``: the sums over each movie's ratings, computed by the engine that holds the ratings.
- ``re_ratings``: which ratings count if a user rated a movie more than once.
- ``manifest``: how a ranking was computed, and from exactly which files.
- ``dataframes``: dataframes of callers, checked; and rankings in the same kind.
"""

from __future__ import annotations

from airflow_movielens.ranking.methods import METHODS
from airflow_movielens.ranking.options import RankingOptions, check_files
from airflow_movielens.ranking.rank import (
    RANKINGS,
    add_titles,
    rank_large,
    rank_movies,
    rank_movies_by_rating,
)

__all__ = [
    "METHODS",
    "RANKINGS",
    "RankingOptions",
    "add_titles",
    "check_files",
    "rank_large",
    "rank_movies",
    "rank_movies_by_rating",
]
