"""The ratings of one user in time order."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class History:
    """The latest rating of each movie by one user, in the order of timestamp and movie.

    Attributes:
        movies: The identifiers of the movies.
        ratings: The ratings in stars.
    """

    movies: NDArray[Any]
    ratings: NDArray[np.float64]

    @classmethod
    def of(cls, movies: ArrayLike, ratings: ArrayLike, timestamps: ArrayLike) -> History:
        """Return the history of ratings in any order. Of two at the same second, the higher one counts."""
        rated, stars = np.asarray(movies, np.int32), np.asarray(ratings, np.float64)
        order = np.lexsort((stars, rated, np.asarray(timestamps, np.int64)))
        _, last = np.unique(rated[order[::-1]], return_index=True)
        kept = order[len(order) - 1 - np.sort(last)[::-1]]
        return cls(rated[kept], stars[kept])

    def digest(self) -> str:
        """Return a digest of all that recommendations depend on."""
        return blake2b(self.movies.tobytes() + self.ratings.tobytes(), digest_size=12).hexdigest()
