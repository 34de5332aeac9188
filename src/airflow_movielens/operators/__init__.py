"""The operators.

- ``fetch``: fetch the ratings of a window into a file.
- ``rank``: rank the movies in files of ratings.
- ``popularity``: fetch and rank in one task.
- ``to_postgres``: load ratings, movies, rankings or recommendations into a table of PostgreSQL.
- ``train``: train a model on files of ratings, and register it.
- ``evaluate``: evaluate the challenger of a registry on files of ratings.
- ``promote``: promote a model if an evaluation shows that it is good enough.
- ``recommend``: recommend movies to all users in files of ratings.
"""

from __future__ import annotations

from airflow_movielens.operators.evaluate import MovielensEvaluateOperator
from airflow_movielens.operators.fetch import MovielensFetchRatingsOperator
from airflow_movielens.operators.popularity import MovielensPopularityOperator
from airflow_movielens.operators.promote import MovielensPromoteOperator
from airflow_movielens.operators.rank import MovielensRankMoviesOperator
from airflow_movielens.operators.recommend import MovielensRecommendOperator
from airflow_movielens.operators.to_postgres import MovielensToPostgresOperator
from airflow_movielens.operators.train import MovielensTrainOperator

__all__ = [
    "MovielensEvaluateOperator",
    "MovielensFetchRatingsOperator",
    "MovielensPopularityOperator",
    "MovielensPromoteOperator",
    "MovielensRankMoviesOperator",
    "MovielensRecommendOperator",
    "MovielensToPostgresOperator",
    "MovielensTrainOperator",
]
