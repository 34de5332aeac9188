"""The operators: fetch ratings to a file, rank files, rank straight from the API."""

from __future__ import annotations

from airflow_movielens.operators.fetch import MovielensFetchRatingsOperator
from airflow_movielens.operators.popularity import MovielensPopularityOperator
from airflow_movielens.operators.rank import MovielensRankMoviesOperator

__all__ = ["MovielensFetchRatingsOperator", "MovielensPopularityOperator", "MovielensRankMoviesOperator"]
