"""What one server serves: ratings, the movies they are about, and the users who gave them."""

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
    """A dataset in memory, ready to be served.

    Args:
        name: what the dataset is called in messages.
        ratings: rows with the columns of `ratings_table.SCHEMA`, in any order, or a table of them.
        movies: one row per movie with the columns of `MOVIES_SCHEMA`, in any order.

    Attributes:
        ratings: all ratings.
        movies: all movies, by `movieId`.
    """

    def __init__(self, name: str, ratings: pl.DataFrame | RatingsTable, movies: pl.DataFrame) -> None:
        self.name = name
        self.ratings = ratings if isinstance(ratings, RatingsTable) else RatingsTable(ratings)
        self.movies = movies.select(pl.col(name).cast(dtype) for name, dtype in MOVIES_SCHEMA.items()).sort("movieId")

    @property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by `userId`, with `num_ratings`."""
        return self.ratings.users

    def movie(self, movie_id: int) -> dict[str, Any] | None:
        """Return the movie's row by column name, or None if there is no such movie."""
        ids = self.movies["movieId"]
        place = bisect_left(ids, movie_id)
        return self.movies.row(place, named=True) if place < len(ids) and ids[place] == movie_id else None

    def summary(self) -> str:
        """Say in one line how much there is and from when to when."""
        days = self.ratings.days()
        span = f", {days[0]} to {days[1]} (UTC)" if days else ""
        return (
            f"{len(self.ratings):,} ratings of {self.movies.height:,} movies by {self.users.height:,} users"
            f"{span}, dataset {self.name}"
        )
