"""Triggers: what waits for ratings in Airflow's triggerer, without a worker slot."""

from __future__ import annotations

from airflow_movielens.triggers.new_ratings import MovielensNewRatingsTrigger
from airflow_movielens.triggers.ratings import MovielensRatingsTrigger

__all__ = ["MovielensNewRatingsTrigger", "MovielensRatingsTrigger"]
