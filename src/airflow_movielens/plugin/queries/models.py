"""What a model recommends to somebody who likes a few movies, and the movies that it finds similar to one.

A result has ``rows``, best first: ``rank``, ``movieId``, ``score``, and for recommendations ``reasons``, as
`Model.recommend` describes them. NumPy alone computes them: Polars and SciPy would take longer to import than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: F401 - it takes longest to import, so before the request comes

from airflow_movielens.recommending.artefacts import map_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.plugin.queries.files import QueryFile
    from airflow_movielens.recommending import Model


def recommend(files: Sequence[QueryFile], movies: Sequence[int], n: int) -> dict[str, Any]:
    """Return what a model recommends to a new user who gives movies 5 stars.

    Args:
        files: The model.
        movies: The movies, in the order in which they are rated.
        n: How many movies to recommend.

    Returns:
        The rows; and ``unknown``: which of the movies have no influence, because too few users like them.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no model, or is damaged.
    """
    model = _model_of(files)
    known = set(model.catalogue.movies.tolist())
    return {
        "rows": model.recommend_by_likes(movies, n).to_rows(),
        "unknown": [movie for movie in movies if movie not in known],
    }


def similar(files: Sequence[QueryFile], movie_id: int, n: int) -> dict[str, Any]:
    """Return the movies that a model finds most similar to one.

    Args:
        files: The model.
        movie_id: The movie.
        n: How many movies to return.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no model, is damaged, or too few users like the movie.
    """
    movies, scores = _model_of(files).most_similar(movie_id, n)
    found = zip(movies.tolist(), scores.tolist(), strict=True)
    return {"rows": [{"rank": rank, "movieId": movie, "score": score} for rank, (movie, score) in enumerate(found, 1)]}


def _model_of(files: Sequence[QueryFile]) -> Model:
    """Open a model; reading all of a large one would take longer than the answer."""
    (file,) = files
    return map_model(file.local())
