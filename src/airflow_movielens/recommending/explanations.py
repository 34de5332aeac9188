"""Which of a user's ratings a recommendation comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.model import Model

_SHOWN = 3
# Of less than this share of the score, no single movie is the reason.
_SINGLE_SHARE = 0.1


def contributions(model: Model, history: Histories, recommended: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return how much each rating of one user adds to the score of each recommended movie: w_j·B_ji.

    With the trend's term a/(2 + H)·L_i, they sum to the score.

    Args:
        model: The model.
        history: The ratings of one user, of movies of the catalogue.
        recommended: The positions of the recommended movies; those outside the catalogue have no contributions.

    Returns:
        A row for each rating, a column for each recommended movie.
    """
    import numpy as np

    added = np.zeros((len(history.ratings), len(recommended)))
    is_inside = recommended < len(model.catalogue.movies)
    weights = history.decayed_weights(model.parameters.decay)
    added[:, is_inside] = weights[:, None] * model.matrix[np.ix_(history.movies, recommended[is_inside])]
    return added


def reasons_of(model: Model, histories: Histories, recommended: Sequence[npt.NDArray[np.int64]]) -> pl.Series:
    """Return the reasons of recommendations: up to three likes of the user that contribute most to each.

    Args:
        model: The model.
        histories: The ratings of users, of movies of the catalogue.
        recommended: The positions of the movies recommended to each of them.

    Returns:
        A list of {movieId, rating, contribution} for each recommended movie of each user, in this order.
    """
    import polars as pl

    reasons = []
    for user, positions in enumerate(recommended):
        history = histories.of_users(user, user + 1)
        likes = history.are_likes
        movies, ratings = model.catalogue.movies[history.movies[likes]], history.ratings[likes]
        for added in contributions(model, history, positions)[likes].T:
            reasons.append(_largest(movies, ratings, added))
    struct = pl.Struct({"movieId": pl.Int32, "rating": pl.Float32, "contribution": pl.Float32})
    return pl.Series("reasons", reasons, pl.List(struct))


def _largest(
    movies: npt.NDArray[np.int32], ratings: npt.NDArray[np.float64], added: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    import numpy as np

    order = [place for place in np.lexsort((movies, -added))[:_SHOWN] if added[place] > 0]
    return [
        {"movieId": int(movies[place]), "rating": float(ratings[place]), "contribution": float(added[place])}
        for place in order
    ]


def sentence_of(reasons: Sequence[Mapping[str, Any]], score: float, titles: Mapping[int, str]) -> str:
    """Return the reasons of a recommendation in words, such as "because you rated Heat 5.0".

    Args:
        reasons: The reasons, the largest contribution first, as `Model.recommend` returns them.
        score: The score of the recommended movie.
        titles: The titles of movies; a movie without one is shown by its identifier.
    """
    if not reasons:
        return "trending now"
    names = [titles.get(reason["movieId"], f"movie {reason['movieId']}") for reason in reasons]
    if reasons[0]["contribution"] < _SINGLE_SHARE * score:
        return f"films like {', '.join(names)}"
    rated = (f"{name} {reason['rating']:.1f}" for name, reason in zip(names, reasons, strict=True))
    return f"because you rated {', '.join(rated)}"
