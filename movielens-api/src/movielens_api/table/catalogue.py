"""The data that a server serves: ratings, movies, and users."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import polars as pl

from movielens_api.table.ratings_table import RatingsTable

MOVIES_SCHEMA: dict[str, type[pl.DataType]] = {
    "movieId": pl.Int32,
    "title": pl.String,
    "year": pl.Int16,
    "genres": pl.String,
}


class Catalogue:
    """A dataset in memory.

    Args:
        name: The name of the dataset in messages.
        ratings: Rows with the columns of ``ratings_table.SCHEMA``, in any order, or a table of them.
        movies: One row per movie with the columns of ``MOVIES_SCHEMA``, in any order.

    Attributes:
        ratings: All ratings.
        movies: All movies, ordered by ``movieId``.
    """

    def __init__(self, name: str, ratings: pl.DataFrame | RatingsTable, movies: pl.DataFrame) -> None:
        self.name = name
        self.ratings = ratings if isinstance(ratings, RatingsTable) else RatingsTable(ratings)
        self.movies = movies.select(pl.col(name).cast(dtype) for name, dtype in MOVIES_SCHEMA.items()).sort("movieId")

    @property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, ordered by ``userId``, with ``num_ratings``."""
        return self.ratings.users

    def movie(self, movie_id: int) -> dict[str, Any] | None:
        """Return a movie's row by column name, or None if it does not exist."""
        ids = self.movies["movieId"]
        place = bisect_left(ids, movie_id)
        return self.movies.row(place, named=True) if place < len(ids) and ids[place] == movie_id else None

    def summary(self) -> str:
        """Return a line with the number of ratings and their first and last day."""
        days = self.ratings.days()
        span = f", {days[0]} to {days[1]} (UTC)" if days else ""
        return (
            f"{len(self.ratings):,} ratings of {self.movies.height:,} movies by {self.users.height:,} users"
            f"{span}, dataset {self.name}"
        )
