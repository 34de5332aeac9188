"""Which of a user's ratings a recommendation comes from."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Reasons:
    """The reasons of recommendations: a row for each of them, the largest contribution first.

    Attributes:
        movies: The identifiers of movies that the user likes, three in each row.
        ratings: The user's ratings of them, in stars.
        contributions: What they add to the score; where it is not above 0, there is no reason.
    """

    movies: npt.NDArray[np.int32]
    ratings: npt.NDArray[np.float32]
    contributions: npt.NDArray[np.float32]

    def to_series(self) -> pl.Series:
        """Return a list of up to three {movieId, rating, contribution} for each recommendation."""
        import polars as pl

        places = []
        for place in range(_SHOWN):
            columns = {
                "movieId": self.movies[:, place],
                "rating": self.ratings[:, place],
                "contribution": self.contributions[:, place],
            }
            reason = pl.DataFrame(columns).select(pl.when(pl.col("contribution") > 0).then(pl.struct(pl.all())))
            places.append(reason.to_series())
        return pl.select(pl.concat_list(places).list.drop_nulls().alias("reasons")).to_series()

    def to_lists(self) -> list[list[dict[str, Any]]]:
        """Return the values of `to_series`."""
        columns = (self.movies.tolist(), self.ratings.tolist(), self.contributions.tolist())
        return [
            [
                {"movieId": movie, "rating": rating, "contribution": contribution}
                for movie, rating, contribution in zip(*row, strict=True)
                if contribution > 0
            ]
            for row in zip(*columns, strict=True)
        ]


def reasons_of(model: Model, histories: Histories, recommended: Sequence[npt.NDArray[np.int64]]) -> Reasons:
    """Return the reasons of recommendations: up to three likes of the user that contribute most to each.

    Args:
        model: The model.
        histories: The ratings of users, of movies of the catalogue.
        recommended: The positions of the movies recommended to each of them.

    Returns:
        The reasons of each recommended movie of each user, in this order.
    """
    import numpy as np

    if not len(histories.ratings):
        shape = (sum(map(len, recommended)), _SHOWN)
        return Reasons(np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    places = [_largest(model, histories, user, positions) for user, positions in enumerate(recommended)]
    rows = np.concatenate([*(rows for rows, _ in places), np.empty((0, _SHOWN), np.int64)])
    added = np.concatenate([*(added for _, added in places), np.empty((0, _SHOWN))])
    return Reasons(
        model.catalogue.movies[histories.movies[rows]],
        histories.ratings[rows].astype(np.float32),
        added.astype(np.float32),
    )


def _largest(
    model: Model, histories: Histories, user: int, recommended: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the three likes of a user that contribute most to each movie, and their contributions.

    Returns:
        The numbers of the ratings and their contributions, a row for each movie; 0 where there are fewer likes.
    """
    import numpy as np

    history = histories.of_users(user, user + 1)
    likes = np.flatnonzero(history.are_likes)
    likes = likes[np.argsort(history.movies[likes])]
    added = contributions(model, history, recommended)[likes].T
    # Stable, so that equal contributions are in the order of the movies.
    largest = np.argsort(-added, axis=1, kind="stable")[:, :_SHOWN]
    rows = np.zeros((len(recommended), _SHOWN), np.int64)
    contributed = np.zeros((len(recommended), _SHOWN))
    rows[:, : largest.shape[1]] = likes[largest] + histories.starts[user]
    contributed[:, : largest.shape[1]] = np.take_along_axis(added, largest, axis=1)
    return rows, contributed


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
