"""The course of a movie over time: its rows in many rankings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.queries.ranking_text import ranking_text, rows_in_csv
from airflow_movielens.ratings.paths import FileFormat

if TYPE_CHECKING:
    from airflow_movielens.plugin.queries.files import QueryFile

_FILES_AT_ONCE = 2


def course(files: list[QueryFile], *, movie_id: int) -> list[dict[str, Any]]:
    """Return the rows of a movie in each of several rankings.

    Args:
        files: The rankings.
        movie_id: The movie.

    Returns:
        For each file, ``rows``: the columns of its rows of the movie (in a ranking by genre, there may be several),
        best first; and ``problem``: why the file cannot be read, null if it can.
    """
    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        return list(threads.map(partial(_of_movie, movie_id), files))


def _of_movie(movie_id: int, file: QueryFile) -> dict[str, Any]:
    try:
        return {"rows": sorted(_rows(movie_id, file), key=lambda row: row["rank"]), "problem": None}
    except (OSError, ValueError) as error:
        return {"rows": [], "problem": file.words_of(error)}


def _rows(movie_id: int, file: QueryFile) -> list[dict[str, Any]]:
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
