"""Triggers: wait for ratings in Airflow's triggerer, without a worker slot.

- ``ratings``: the trigger of a deferred sensor.
- ``new_ratings``: the event trigger of an asset's watcher.
- ``watermark``: the counts that an event trigger has already reported.
- ``polling``: one poll for all triggers that wait for the same window.
- ``api_calls``: calls of the API that never block the event loop.
"""

from __future__ import annotations

from airflow_movielens.triggers.new_ratings import MovielensNewRatingsTrigger
from airflow_movielens.triggers.ratings import MovielensRatingsTrigger

__all__ = ["MovielensNewRatingsTrigger", "MovielensRatingsTrigger"]
