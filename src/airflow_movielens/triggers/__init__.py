"""Triggers: wait for ratings in Airflow's triggerer, without a worker slot.

- ``ratings``: the trigger of a deferred sensor.
- ``new_ratings``: the event trigger of an asset's watcher, and the counts that it has already reported.
- ``polling``: polls that never block the event loop, one for all triggers that wait for the same window.
"""

from __future__ import annotations

from airflow_movielens.triggers.new_ratings import MovielensNewRatingsTrigger
from airflow_movielens.triggers.ratings import MovielensRatingsTrigger

__all__ = ["MovielensNewRatingsTrigger", "MovielensRatingsTrigger"]
