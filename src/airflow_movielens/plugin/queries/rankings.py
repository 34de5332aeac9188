"""Rankings with movement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from airflow_movielens.plugin.queries.ranking_files import read_ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.plugin.queries.files import QueryFile


def table(
    files: list[QueryFile],
    *,
    genre: str | None = None,
    search: str = "",
    titled: Sequence[int] = (),
    limit: int = 100,
) -> dict[str, Any]:
    """Return the first rows of a ranking, each with its rank in earlier rankings.

    Args:
        files: The ranking, and the earlier ones.
        genre: Which genre of a ranking by genre; None for the first one.
        search: Only movies whose title in the file contains this text; empty for all.
        titled: Further movies that the search found, by titles that the file does not have.
        limit: The greatest number of rows.

    Returns:
        ``genres``: all genres of a ranking by genre; ``genre``: that of the rows; ``movies``: how many movies are
        ranked; ``found``: how many of them the search found; ``rows``: of each, its columns and ``previous``, a list
        with the rank in each earlier ranking, null if the movie is not in it; ``problems``: why an earlier ranking
        cannot be read, null if it can.

    Raises:
        FileNotFoundError: The file of the ranking does not exist.
        ValueError: It cannot be read.
    """
    current, *earlier = files
    ranking = read_ranking(current)
    genres = None
    if "genre" in ranking.columns:
        # "(no genres listed)" is no genre to begin with.
        genres = sorted(ranking["genre"].unique(), key=lambda name: (name.startswith("("), name))
        genre = genre if genre in genres else next(iter(genres), None)
        ranking = ranking.filter(pl.col("genre") == genre)
    found = ranking.filter(_matches(ranking, search, titled)) if search else ranking
    rows = found.head(limit)
    ranks, problems = [], []
    for file in earlier:
        before, problem = _ranks(file, genre, rows["movieId"])
        ranks.append([before.get(movie_id) for movie_id in rows["movieId"]])
        problems.append(problem)
    previous = zip(*ranks, strict=True) if ranks else ([] for _ in range(len(rows)))
    return {
        "genres": genres,
        "genre": genre if genres is not None else None,
        "movies": len(ranking),
        "found": len(found),
        "rows": [{**row, "previous": list(before)} for row, before in zip(rows.to_dicts(), previous, strict=True)],
        "problems": problems,
    }


def _ranks(file: QueryFile, genre: str | None, movies: pl.Series) -> tuple[dict[int, int], str | None]:
    """Return the ranks of movies in an earlier ranking, and why it cannot be read."""
    try:
        rows = read_ranking(file, pl.col("movieId").is_in(movies.implode()))
    except (OSError, ValueError) as error:
        return {}, file.words_of(error)
    if "genre" in rows.columns:
        rows = rows.filter(pl.col("genre") == genre)
    return dict(rows.select("movieId", "rank").iter_rows()), None


def _matches(ranking: pl.DataFrame, search: str, titled: Sequence[int]) -> pl.Expr:
    matches = pl.col("movieId").is_in(list(titled))
    if "title" in ranking.columns:
        matches |= pl.col("title").str.to_lowercase().str.contains(search.lower(), literal=True).fill_null(value=False)
    return matches
