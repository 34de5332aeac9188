"""Titles beside movie identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def add_titles(ranking: pl.LazyFrame, movies: pl.LazyFrame) -> pl.LazyFrame:
    """Put the title after ``movieId``; the order of rows stays.

    Args:
        ranking: A dataframe whose first column is movieId.
        movies: A dataframe with movieId and title; of several rows for a movie the first counts.

    Returns:
        ``ranking`` with a title column in second place; null where ``movies`` knows none.
    """
    titles = movies.select("movieId", "title").unique("movieId", keep="first", maintain_order=True)
    titled = ranking.join(titles, on="movieId", how="left", maintain_order="left")
    return titled.select("movieId", "title", *ranking.collect_schema().names()[1:])
