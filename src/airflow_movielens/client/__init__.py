"""How ratings leave an API. Knows nothing of Airflow."""

from airflow_movielens.client.client import MovielensClient
from airflow_movielens.client.errors import (
    DataError,
    Exchange,
    FatalError,
    MovielensError,
    RatingsChangedError,
    RetryableError,
)
from airflow_movielens.client.settings import ClientSettings, build_base_url
from airflow_movielens.client.window import Window, parse_day

__all__ = [
    "ClientSettings",
    "DataError",
    "Exchange",
    "FatalError",
    "MovielensClient",
    "MovielensError",
    "RatingsChangedError",
    "RetryableError",
    "Window",
    "build_base_url",
    "parse_day",
]
