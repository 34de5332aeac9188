"""A model: scores, similar movies and reasons. ``docs/model-format.md`` and ``docs/recommendations.md`` explain it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movielens_api.recommendations.history import History

_LIKE = 4.0
# Ratings of so many stars or fewer have no weight.
_NEUTRAL = 3.0
_MAX_REASONS = 3
# A weight so small that it changes scores little.
_LIGHT = np.float32(1e-3)
# More than the relative error of a sum in single precision.
_ROUNDING = 1e-4


class Reason(NamedTuple):
    """A movie that the user likes, and what it adds to the score of a recommended one."""

    movie: int
    rating: float
    contribution: float


class Recommendation(NamedTuple):
    """A movie with its score, and the likes that contribute most to it, largest first."""

    movie: int
    score: float
    reasons: Sequence[Reason] = ()


class NotInCatalogueError(LookupError):
    """The model does not know which movies are similar to this one."""


@dataclass(frozen=True, eq=False)
class Model:
    """A recommender of movies.

    Attributes:
        movies: The identifiers of the movies in the catalogue, ascending.
        trend: The trend of each of them.
        other_movies: The identifiers of all other movies, by trend (highest first), then identifier.
        other_trend: The trend of each of these.
        matrix: What a row's movie adds to the score of a column's movie. It may be mapped from a file.
        largest: The largest absolute value of the matrix.
        decay: How fast a rating fades.
        trend_weight: How much the trend counts.
        min_likes: The number of likes that each movie of the catalogue has at least.
    """

    movies: NDArray[np.int32]
    trend: NDArray[np.float32]
    other_movies: NDArray[np.int32]
    other_trend: NDArray[np.float32]
    matrix: NDArray[np.float32]
    largest: float
    decay: float
    trend_weight: float
    min_likes: int

    def __contains__(self, movie: int) -> bool:
        return bool(len(self._all_movies) > self._positions(np.array([movie]))[0])

    def recommend(self, history: History, n: int) -> list[Recommendation]:
        """Return the best movies that the user has not rated, with reasons; equal scores are ordered by movie."""
        positions = self._positions(history.movies)
        is_inside = positions < len(self.movies)
        rated, ratings = positions[is_inside], history.ratings[is_inside]
        weights = np.maximum(ratings - _NEUTRAL, 0.0) * np.exp(-self.decay * np.arange(len(ratings))[::-1])
        share = np.float32(self.trend_weight / (2 + np.count_nonzero(ratings >= _LIKE)))
        # So many other movies that n of them are not rated.
        num_others = n + len(positions) - len(rated)
        trends = share * np.concatenate([self.trend, self.other_trend[:num_others]])
        left_out = positions[positions < len(trends)]
        found, scores = self._scores(trends, left_out, rated, weights.astype(np.float32), n)
        order = np.lexsort((self._all_movies[found], -scores))[:n]
        best = found[order]
        reasons = self._reasons(rated, ratings, weights, best)
        ranked = zip(self._all_movies[best].tolist(), scores[order], reasons, strict=True)
        return [Recommendation(movie, _shortest(score), why) for movie, score, why in ranked]

    def similar(self, movie: int, n: int) -> list[Recommendation]:
        """Return the movies that raise each other's scores most with this one; equal ones are ordered by movie.

        Raises:
            NotInCatalogueError: The movie is not in the catalogue.
        """
        position = int(np.searchsorted(self.movies, movie))
        if self.movies[position : position + 1].tolist() != [movie]:
            raise NotInCatalogueError(movie)
        scores = np.sqrt(np.maximum(self.matrix[position], 0) * np.maximum(self.matrix[:, position], 0))
        scores[position] = -np.inf
        found = _highest(scores, n)
        best = found[np.lexsort((self.movies[found], -scores[found]))[:n]]
        return [Recommendation(int(self.movies[place]), _shortest(scores[place])) for place in best]

    @cached_property
    def _all_movies(self) -> NDArray[np.int32]:
        return np.concatenate([self.movies, self.other_movies])

    @cached_property
    def _ascending(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """All movies, ascending, and the position of each."""
        order = np.argsort(self._all_movies)
        return self._all_movies[order], order

    def _positions(self, movies: NDArray[Any]) -> NDArray[np.int64]:
        """Return the positions of movies among all of the model; the number of all for those that it does not know."""
        ascending, order = self._ascending
        if not len(order):
            return np.zeros(len(movies), np.int64)
        places = np.minimum(ascending.searchsorted(movies), len(order) - 1)
        return np.where(ascending[places] == movies, order[places], len(order))

    def _scores(
        self,
        trends: NDArray[np.float32],
        left_out: NDArray[np.int64],
        rated: NDArray[np.int64],
        weights: NDArray[np.float32],
        n: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the positions and scores of the best movies, and perhaps of a few more, in any order.

        Old ratings weigh almost nothing. Their rows of the matrix are read only where they may change who is best, so
        that a long history takes no longer than one of some hundred and fifty ratings.
        """
        rated, weights = rated[weights > 0], weights[weights > 0]
        is_light = weights < _LIGHT
        scores = trends.copy()
        scores[: len(self.movies)] += self._sum_of_rows(rated[~is_light], weights[~is_light])
        scores[left_out] = -np.inf
        if not is_light.any():
            found = _highest(scores, n)
            return found, scores[found]
        # By so much, two scores may yet change in opposite directions; the second term is for rounding.
        margin = self.largest * (2 * float(weights[is_light].sum()) + _ROUNDING * float(weights.sum()))
        found = _highest(scores, n, margin)
        inside = found < len(self.movies)
        columns = self.matrix[np.ix_(rated, found[inside])] * weights[:, None]
        # Cumulative, to add in the same order as `_sum_of_rows`.
        exact = scores[found]
        exact[inside] = trends[found[inside]] + np.cumsum(columns, axis=0)[-1]
        return found, exact

    def _sum_of_rows(self, rated: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        # Row by row, which needs no copy of the rows, and adds in the same order as the package of the trainer.
        total = np.zeros(len(self.movies), np.float32)
        added = np.empty_like(total)
        for position, weight in zip(rated.tolist(), weights, strict=True):
            np.multiply(self.matrix[position], weight, out=added)
            total += added
        return total

    def _reasons(
        self,
        rated: NDArray[np.int64],
        ratings: NDArray[np.float64],
        weights: NDArray[np.float64],
        recommended: NDArray[np.int64],
    ) -> list[list[Reason]]:
        """Return the likes that contribute most to each recommended movie; equal ones are ordered by movie."""
        likes = np.flatnonzero(ratings >= _LIKE)
        likes = likes[np.argsort(rated[likes])]
        inside = np.flatnonzero(recommended < len(self.movies))
        added = np.zeros((len(recommended), len(likes)))
        added[inside] = (weights[likes, None] * self.matrix[np.ix_(rated[likes], recommended[inside])]).T
        largest = np.argsort(-added, axis=1, kind="stable")[:, :_MAX_REASONS]
        contributions = np.take_along_axis(added, largest, axis=1).astype(np.float32)
        movies, stars = self.movies[rated[likes]][largest].tolist(), ratings[likes][largest].tolist()
        columns = zip(movies, stars, contributions, strict=True)
        return [
            [Reason(movie, rating, _shortest(value)) for movie, rating, value in zip(*row, strict=True) if value > 0]
            for row in columns
        ]


def _highest(scores: NDArray[np.float32], n: int, margin: float = 0.0) -> NDArray[np.int64]:
    """Return the positions of the n highest scores, and of all others that are not lower by more than the margin."""
    n = min(n, len(scores))
    lowest = np.partition(scores, -n)[-n] - margin if n else 0.0
    # Not those that are left out, which are -inf.
    return np.flatnonzero(scores >= max(lowest, np.finfo(np.float32).min))


def _shortest(value: np.float32) -> float:
    """Return the number with the fewest digits that is this one in single precision."""
    return float(str(value))
