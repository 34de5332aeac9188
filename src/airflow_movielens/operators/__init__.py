"""The operators.

- ``fetch``: fetch the ratings of a window into a file.
- ``rank``: rank the movies in files of ratings.
- ``popularity``: fetch and rank in one task.
"""

from __future__ import annotations

from airflow_movielens.operators.fetch import MovielensFetchRatingsOperator
from airflow_movielens.operators.popularity import MovielensPopularityOperator
from airflow_movielens.operators.rank import MovielensRankMoviesOperator

__all__ = ["MovielensFetchRatingsOperator", "MovielensPopularityOperator", "MovielensRankMoviesOperator"]
