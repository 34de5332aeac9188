"""All movies of an API in one dataframe."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.fetch.resume import attempts
from airflow_movielens.ratings.schema import MOVIES

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.client.client import MovielensClient

log = logging.getLogger(__name__)

_NOT_SERVED = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


def movies_of_api(client: MovielensClient) -> pl.DataFrame:
    """Return all movies, or none with a warning if the API does not serve movies.

    Raises:
        MovielensError: The API cannot be read.
    """
    try:
        return all_movies(client)
    except FatalError as error:
        if error.exchange is None or error.exchange.status not in _NOT_SERVED:
            raise
        log.warning("The API does not serve movies, so their titles remain empty [%s]", error.exchange)
        return MOVIES.empty()


def all_movies(client: MovielensClient) -> pl.DataFrame:
    """Return all movies.

    Raises:
        MovielensError: The API cannot be read, or does not serve movies.
    """
    import polars as pl

    frames: list[pl.DataFrame] = []
    for attempt in attempts():
        with attempt:
            frames = list(client.get_movie_frames())
    return pl.concat([MOVIES.empty(), *frames])
