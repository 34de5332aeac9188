"""Statistics over ratings. Knows neither Airflow nor HTTP."""

from airflow_movielens.ranking.large import rank_large
from airflow_movielens.ranking.rank import rank_movies_by_rating, ranking_method
from airflow_movielens.ranking.titles import add_titles

__all__ = ["add_titles", "rank_large", "rank_movies_by_rating", "ranking_method"]
