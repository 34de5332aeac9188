"""The course of a movie over time: its rows in many rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.queries.ranking_text import ranking_text, rows_in_csv
from airflow_movielens.ratings.paths import FileFormat

if TYPE_CHECKING:
    from airflow_movielens.plugin.queries.files import QueryFile


def course(files: list[QueryFile], *, movie_id: int) -> list[dict[str, Any]]:
    """Return the rows of a movie in each of several rankings.

    Args:
        files: The rankings.
        movie_id: The movie.

    Returns:
        For each file, ``rows``: the columns of its rows of the movie (in a ranking by genre, there may be several),
        best first; and ``problem``: why the file cannot be read, null if it can.
    """
    # One after the other: several large ones may together need more memory than there is.
    return [_of_movie(file, movie_id) for file in files]


def _of_movie(file: QueryFile, movie_id: int) -> dict[str, Any]:
    try:
        return {"rows": sorted(_rows(file, movie_id), key=lambda row: row["rank"]), "problem": None}
    except (OSError, ValueError) as error:
        return {"rows": [], "problem": file.words_of(error)}


def _rows(file: QueryFile, movie_id: int) -> list[dict[str, Any]]:
    path = file.local()
    if path.exists() and FileFormat.of(str(path)).kind == "csv":
        try:
            rows = rows_in_csv(ranking_text(path), movie_id)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as a ranking: {error}") from error
        if rows is not None:
            return rows
    # This imports Polars.
    import polars as pl

    from airflow_movielens.plugin.queries.ranking_files import read_ranking

    return read_ranking(file, pl.col("movieId") == movie_id).to_dicts()
