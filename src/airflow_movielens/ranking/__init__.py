"""Statistics over ratings. Knows neither Airflow nor HTTP."""

from airflow_movielens.ranking.large import rank_large
from airflow_movielens.ranking.rank import METHODS, rank_movies_by_rating
from airflow_movielens.ranking.titles import add_titles

__all__ = ["METHODS", "add_titles", "rank_large", "rank_movies_by_rating"]
