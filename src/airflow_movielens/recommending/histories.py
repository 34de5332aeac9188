"""The ratings of each user in time order, and the vector that sums them up."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import checked_ratings, collected
from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.validation import frame_of_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl
    from scipy.sparse import csr_array

NO_RATINGS = "there are no ratings to train a model on: give the ratings of at least one user"
# Ratings of so many stars or fewer have no weight.
NEUTRAL = 3.0
MOST_STARS = 5.0
# Users whose identifiers have the same quotient by this number are digested together, wherever their ratings are.
USERS_IN_DIGEST = 100
# Sorting takes several times the memory of what is sorted.
RATINGS_SORTED_AT_ONCE = 1_000_000
_CHECKSUM_DTYPES = {"userId": "<i4", "movieId": "<i4", "rating": "<f4", "timestamp": "<i8"}


@dataclass(frozen=True, eq=False)
class Histories:
    """The ratings of users, each user's in the order of timestamp and movieId.

    Attributes:
        users: The identifiers of the users, ascending.
        starts: The number of the first rating of each user, and the number of all ratings.
        movies: The position of each rated movie in the list of movies.
        ratings: The ratings in stars.
    """

    users: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    movies: npt.NDArray[np.int32]
    ratings: npt.NDArray[np.float64]

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """The position of each rating's user."""
        import numpy as np

        return np.repeat(np.arange(len(self.users)), np.diff(self.starts))

    @property
    def are_likes(self) -> npt.NDArray[np.bool_]:
        """Whether each rating is a like."""
        return self.ratings >= LIKE

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """The weight of each rating: the stars above three, or 0."""
        import numpy as np

        return np.maximum(self.ratings - NEUTRAL, 0.0)

    @property
    def num_likes(self) -> npt.NDArray[np.int64]:
        """The number of likes of each user."""
        import numpy as np

        return np.bincount(self.owners[self.are_likes], minlength=len(self.users))

    def keep(self, kept: npt.NDArray[np.bool_]) -> Histories:
        """Return only some of the ratings; users remain, also without ratings."""
        import numpy as np

        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts].astype(np.int32)
        return Histories(self.users, starts, self.movies[kept], self.ratings[kept])

    def of_users(self, first: int, end: int) -> Histories:
        """Return the users from one position to before another."""
        starts = self.starts[first : end + 1]
        rows = slice(starts[0], starts[-1])
        return Histories(self.users[first:end], starts - starts[0], self.movies[rows], self.ratings[rows])

    def decayed_weights(self, decay: float) -> npt.NDArray[np.float64]:
        """Return the weight of each rating: less by e^(-decay) for each later rating of its user."""
        import numpy as np

        later = self.starts[1:][self.owners] - 1 - np.arange(len(self.ratings))
        weights: npt.NDArray[np.float64] = self.weights * np.exp(-decay * later)
        return weights


def latest_of(ratings: Any) -> pl.DataFrame:
    """Return the latest rating of each user and movie (at the same second, the higher one), checked.

    Args:
        ratings: A dataframe of any kind that Narwhals supports, with userId, movieId, rating and timestamp.

    Returns:
        The ratings, sorted by userId, timestamp and movieId.

    Raises:
        TypeError: It is no such dataframe.
        ValueError: A column is missing, or a value is missing or wrong.
    """
    import polars as pl

    rows = _checked(ratings)
    if len(rows) <= RATINGS_SORTED_AT_ONCE:
        return _latest_of(rows)
    users = rows["userId"].sort()
    bounds = [*users.gather_every(RATINGS_SORTED_AT_ONCE).unique().sort(), users[-1] + 1]
    return pl.concat(
        _latest_of(rows.filter(pl.col("userId").is_between(first, end - 1))) for first, end in pairwise(bounds)
    )


def _latest_of(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.sort("userId", "timestamp", "movieId", "rating")
    return rows.unique(["userId", "movieId"], keep="last", maintain_order=True)


def _checked(ratings: Any) -> pl.DataFrame:
    """Return the ratings with their dtypes, checked; most dataframes in a fraction of a millisecond."""
    import polars as pl

    if isinstance(ratings, pl.DataFrame) and set(RATINGS.column_names) <= set(ratings.columns):
        rows = frame_of_columns(ratings, RATINGS)
        if rows is not None:
            return rows
    return collected(checked_ratings(ratings)).cast(RATINGS.polars_schema())


def checksum_of(ratings: pl.DataFrame) -> str:
    """Return the checksum of ratings as `latest_of` returns them: the SHA-256 of the digests of each group of users."""
    import numpy as np

    groups = ratings["userId"].to_numpy() // USERS_IN_DIGEST
    bounds = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(ratings)]
    columns = {name: ratings[name].to_numpy() for name in RATINGS.column_names}
    digests = [
        digest_of({name: column[start:end] for name, column in columns.items()}) for start, end in pairwise(bounds)
    ]
    return sha256(b"".join(digests)).hexdigest()


def digest_of(ratings: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the SHA-256 of the ratings of a group of users: of the values of each column, little-endian."""
    import numpy as np

    digest = sha256()
    for column, dtype in _CHECKSUM_DTYPES.items():
        digest.update(np.ascontiguousarray(ratings[column], dtype).data)
    return digest.digest()


def histories_of(
    ratings: pl.DataFrame, movies: npt.NDArray[np.int32], users: npt.NDArray[np.int32] | None = None
) -> Histories:
    """Return the histories of users.

    Args:
        ratings: As `latest_of` returns them; those of other movies are left out, but their users remain.
        movies: The list of movies, in any order.
        users: Further users, who may have no ratings.
    """
    import numpy as np

    raters = ratings["userId"].to_numpy()
    identifiers = np.unique(raters if users is None else np.concatenate([raters, users]))
    starts = np.concatenate([np.searchsorted(raters, identifiers), [len(raters)]])
    positions, is_known = _positions(ratings["movieId"].to_numpy(), movies)
    return Histories(identifiers, starts, positions, ratings["rating"].to_numpy().astype(np.float64)).keep(is_known)


def history_of_likes(liked: Sequence[int], movies: npt.NDArray[np.int32]) -> Histories:
    """Return the history of one new user, without a dataframe.

    Args:
        liked: The movies that the user gives 5 stars, one after the other; of a movie given twice, the last counts.
        movies: The list of movies, in any order; others are left out.
    """
    import numpy as np

    given = np.array(list(dict.fromkeys(reversed(liked)))[::-1], np.int32)
    positions, is_known = _positions(given, movies)
    starts = np.array([0, len(given)], np.int32)
    return Histories(np.zeros(1, np.int32), starts, positions, np.full(len(given), MOST_STARS)).keep(is_known)


def _positions(
    rated: npt.NDArray[np.int32], movies: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return the position of each rated movie in a list of movies, and whether it is there."""
    import numpy as np

    if not len(movies):
        return np.zeros(len(rated), np.int32), np.zeros(len(rated), bool)
    order = np.argsort(movies)
    positions = order[np.minimum(np.searchsorted(movies, rated, sorter=order), len(movies) - 1)]
    return positions.astype(np.int32), movies[positions] == rated


def weighted_sums(
    histories: Histories, weights: npt.NDArray[np.float32], matrix: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the sum of the rows of each user's movies, multiplied by the weights, in the order of the ratings.

    So the sum of a user is the same alone and among others, to the last bit.

    Args:
        histories: The ratings of the users.
        weights: The weight of each rating.
        matrix: A row for each movie.

    Returns:
        A row for each user.
    """
    import numpy as np

    if len(histories.users) > 1:
        sums: npt.NDArray[np.float32] = vectors(histories, weights, len(matrix)) @ matrix
        return sums
    # SciPy would take longer to import than the page may take to answer.
    total = np.zeros((len(histories.users), matrix.shape[1]), np.float32)
    for number in np.flatnonzero(weights):
        total += weights[number] * matrix[histories.movies[number]]
    return total


def vectors(histories: Histories, values: npt.NDArray[Any], num_movies: int) -> csr_array:
    """Return a sparse matrix with a row per user, a column per movie and a value per rating; zeros are left out."""
    import numpy as np
    from scipy.sparse import csr_array

    kept = histories.keep(values != 0)
    return csr_array((values[np.flatnonzero(values)], kept.movies, kept.starts), (len(histories.users), num_movies))
