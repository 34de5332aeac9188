"""Recommendations to somebody who is not in the ratings of the training, by a few movies that they like.

The rows are those of ``recommendations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import scipy.sparse  # noqa: F401 - the model needs it, and it takes longest to import

from airflow_movielens.plugin.queries.recommendations import model_of
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.plugin.queries.files import QueryFile

# Who likes the given movies.
_NEW_USER = 0


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
    model = model_of(files)
    rows = [(_NEW_USER, movie, 5.0, second) for second, movie in enumerate(movies)]
    ratings = pl.DataFrame(rows, RATINGS.polars_schema(), orient="row")
    recommended = model.recommend(ratings, n, [_NEW_USER], explain=True)
    known = set(model.catalogue.movies.tolist())
    return {
        "rows": recommended.drop("userId").to_dicts(),
        "unknown": [movie for movie in movies if movie not in known],
    }
