"""Statistics over ratings, without Airflow and HTTP.

- ``rank``: movies ranked by their ratings, and their titles.
"""

from __future__ import annotations

from airflow_movielens.ranking.rank import add_titles, rank_large, rank_movies_by_rating, ranking_method

__all__ = ["add_titles", "rank_large", "rank_movies_by_rating", "ranking_method"]
