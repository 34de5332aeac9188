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
        decay: How fast a rating fades.
        trend_weight: How much the trend counts.
        min_likes: The number of likes that each movie of the catalogue has at least.
    """

    movies: NDArray[np.int32]
    trend: NDArray[np.float32]
    other_movies: NDArray[np.int32]
    other_trend: NDArray[np.float32]
    matrix: NDArray[np.float32]
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
        scores = share * np.concatenate([self.trend, self.other_trend[:num_others]])
        scores[: len(self.movies)] += self._personal_scores(rated, weights.astype(np.float32))
        scores[positions[positions < len(scores)]] = -np.inf
        best = _best(scores, self._all_movies, n)
        reasons = self._reasons(rated, ratings, weights, best)
        found = zip(self._all_movies[best].tolist(), scores[best], reasons, strict=True)
        return [Recommendation(movie, _shortest(score), why) for movie, score, why in found]

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
        best = _best(scores, self.movies, n)
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

    def _personal_scores(self, rated: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        # Row by row, which needs no copy of the rows, and sums in the same order as the trainer's package.
        scores = np.zeros(len(self.movies), np.float32)
        added = np.empty_like(scores)
        counted = np.flatnonzero(weights)
        for position, weight in zip(rated[counted].tolist(), weights[counted], strict=True):
            np.multiply(self.matrix[position], weight, out=added)
            scores += added
        return scores

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
        movies, stars = self._all_movies[rated[likes]], ratings[likes]
        return [
            [
                Reason(int(movies[place]), float(stars[place]), _shortest(contribution))
                for place, contribution in zip(places, values, strict=True)
                if contribution > 0
            ]
            for places, values in zip(largest, contributions, strict=True)
        ]


def _best(scores: NDArray[np.float32], movies: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    """Return the positions of the highest scores, best first; -inf is left out."""
    n = min(n, len(scores))
    lowest = max(np.partition(scores, -n)[-n], np.finfo(np.float32).min) if n else 0.0
    found = np.flatnonzero(scores >= lowest)
    return found[np.lexsort((movies[found], -scores[found]))[:n]]


def _shortest(value: np.float32) -> float:
    """Return the number with the fewest digits that is this one in single precision."""
    return float(str(value))
