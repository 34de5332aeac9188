"""A model: what is recommended to users, and which movies are similar."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import in_kind_of
from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.recommending.explanations import reasons_of
from airflow_movielens.recommending.histories import (
    checksum_of,
    histories_of,
    history_of_likes,
    latest_of,
    weighted_sums,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from airflow_movielens.recommending.catalogue import Catalogue
    from airflow_movielens.recommending.explanations import Reasons
    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.parameters import ModelParameters

# Users who are scored at once.
USERS_AT_ONCE = 256


@dataclass(frozen=True)
class TrainingData:
    """What a model was trained on.

    Attributes:
        ratings: The number of ratings that counted.
        users: The number of users.
        first_timestamp: The time of the first of these ratings, in Unix seconds.
        last_timestamp: The time of the last one.
        histogram: The number of ratings with 0.5, 1, 1.5 and so on to 5 stars.
        checksum: The SHA-256 of these ratings; see docs/model-format.md.
    """

    ratings: int
    users: int
    first_timestamp: int
    last_timestamp: int
    histogram: list[int]
    checksum: str

    @classmethod
    def of(cls, ratings: pl.DataFrame) -> TrainingData:
        """Describe ratings as `histories.latest_of` returns them, at least one."""
        import numpy as np

        timestamps = ratings["timestamp"].to_numpy()
        half_stars = np.rint(ratings["rating"].to_numpy() * 2).astype(np.int64)
        return cls(
            ratings=len(ratings),
            users=ratings["userId"].n_unique(),
            first_timestamp=int(timestamps.min()),
            last_timestamp=int(timestamps.max()),
            histogram=np.bincount(half_stars, minlength=11)[1:].tolist(),
            checksum=checksum_of(ratings),
        )


@dataclass(frozen=True, eq=False)
class Model:
    """A recommender of movies.

    The score of a movie for a user is v·B + a/(2 + H)·L: v is the vector of the user's decayed weights, B the
    item-by-item matrix, H the user's number of likes and L the trend of the movie. Movies outside the catalogue have
    only the second term.

    Attributes:
        parameters: The parameters that it was trained with.
        catalogue: The movies and their trend.
        matrix: B; the row is the rated movie, the column the scored one.
        trained_on: What it was trained on.
        parameter_choice: How the parameters were chosen; None if they were given.
    """

    parameters: ModelParameters
    catalogue: Catalogue
    matrix: npt.NDArray[np.float32]
    trained_on: TrainingData
    parameter_choice: Mapping[str, Any] | None = None

    def recommend(self, ratings: Any, n: int = 10, users: Iterable[int] | None = None, *, explain: bool = False) -> Any:
        """Recommend movies to users by their ratings. The users need not be those of the training.

        Args:
            ratings: A dataframe as for `train`, with the whole history of ratings of one or many users.
            n: How many movies to recommend to each user; never one that the user has rated.
            users: Further users, who may have no ratings: they are recommended what is trending.
            explain: Whether to add the reasons.

        Returns:
            A dataframe of the same kind with userId, rank (int32, from 1), movieId and score (float32), sorted by
            userId and rank; equal scores are ordered by movieId. With ``explain``, reasons: a list of up to three
            {movieId, rating, contribution}, the largest contribution first, of the movies that the user likes. It is
            empty if none of them contributes.

        Raises:
            TypeError: The ratings are no such dataframe.
            ValueError: ``n`` or ``users`` is not one of those allowed, a column is missing, or a value is missing or
                wrong.
        """
        import polars as pl

        check_number(n)
        movies = self.catalogue.all_movies
        rated = histories_of(latest_of(ratings), movies, _identifiers(users))
        parts = [
            self.lists_of(rated.of_users(start, start + USERS_AT_ONCE), movies, n, explain=explain).to_frame()
            for start in range(0, max(len(rated.users), 1), USERS_AT_ONCE)
        ]
        return in_kind_of(pl.concat(parts), ratings)

    def similar(self, movie_id: int, n: int = 10) -> pl.DataFrame:
        """Return the movies most similar to one: those that raise each other's scores most.

        The similarity of the movies i and j is √(B_ij·B_ji), or 0 if one of them lowers the other's score. B_ij alone
        favours popular movies, which everything raises.

        Args:
            movie_id: The movie.
            n: How many movies to return.

        Returns:
            rank (int32, from 1), movieId and score (float32: the similarity), best first; equal ones by movieId.

        Raises:
            ValueError: The model does not have this movie in its catalogue, or ``n`` is not one of those allowed.
        """
        import polars as pl

        movies, scores = self.most_similar(movie_id, n)
        ranks = pl.Series(range(1, len(movies) + 1), dtype=pl.Int32)
        return pl.DataFrame({"rank": ranks, "movieId": movies, "score": scores})

    def recommend_by_likes(self, liked: Sequence[int], n: int = 10) -> RankedLists:
        """Recommend movies to one new user, with reasons, as `recommend` does, but with NumPy alone.

        Args:
            liked: The movies that the user gives 5 stars, the latest last.
            n: How many movies to recommend.

        Raises:
            ValueError: ``n`` is not one of those allowed.
        """
        check_number(n)
        movies = self.catalogue.all_movies
        return self.lists_of(history_of_likes(liked, movies), movies, n, explain=True)

    def most_similar(self, movie_id: int, n: int = 10) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return the movies that `similar` returns, best first, and their scores, with NumPy alone."""
        import numpy as np

        check_number(n)
        position = int(np.searchsorted(self.catalogue.movies, movie_id))
        if self.catalogue.movies[position : position + 1].tolist() != [movie_id]:
            raise ValueError(
                f"the model knows too few likes of movie {shown(movie_id)}: it has {len(self.catalogue.movies)} movies,"
                f" each liked by at least {self.parameters.min_likes} users"
            )
        raised, raising = np.maximum(self.matrix[position], 0), np.maximum(self.matrix[:, position], 0)
        scores = np.sqrt(raised * raising)
        scores[position] = -np.inf
        best = best_movies(scores, self.catalogue.movies, n)
        return self.catalogue.movies[best], scores[best]

    def save(self, path: str | Path) -> None:
        """Write the model to a local file, which appears whole or not at all; `load_model` reads it."""
        from airflow_movielens.recommending.artefacts import save_model

        save_model(self, Path(path))

    def scores(self, histories: Histories, num_others: int = 0) -> npt.NDArray[np.float32]:
        """Return the scores of all movies of the catalogue, and of the first others, for users.

        Args:
            histories: The ratings of the users, of movies of the catalogue only.
            num_others: The number of other movies.

        Returns:
            A row for each user; with a column for each movie of the catalogue, then for each other movie.
        """
        import numpy as np

        size = len(self.catalogue.movies)
        weights = histories.decayed_weights(self.parameters.decay).astype(np.float32)
        share = (self.parameters.trend / (2 + histories.num_likes)).astype(np.float32)
        trend = np.concatenate([self.catalogue.trend, self.catalogue.other_trend[:num_others]])
        scores: npt.NDArray[np.float32] = share[:, None] * trend
        scores[:, :size] += weighted_sums(histories, weights, self.matrix)
        return scores

    def lists_of(self, rated: Histories, movies: npt.NDArray[np.int32], n: int, *, explain: bool) -> RankedLists:
        """Return the best movies for users, best first.

        Args:
            rated: The ratings of the users, of all movies of the model.
            movies: The identifiers of all movies of the model.
            n: How many movies to recommend to each user.
            explain: Whether to add the reasons.
        """
        import numpy as np

        is_known = rated.movies < len(self.catalogue.movies)
        known = rated.keep(is_known)
        # So many other movies that n of them are not rated.
        most_rated = np.bincount(rated.owners[~is_known], minlength=1).max()
        scores = self.scores(known, min(n + int(most_rated), len(self.catalogue.other_movies)))
        is_scored = rated.movies < scores.shape[1]
        scores[rated.owners[is_scored], rated.movies[is_scored]] = -np.inf
        best = [best_movies(row, movies, n) for row in scores]
        lengths = [len(positions) for positions in best]
        owners, positions = np.repeat(np.arange(len(best)), lengths), np.concatenate([*best, np.empty(0, np.int64)])
        return RankedLists(
            rated.users[owners],
            np.concatenate([*map(np.arange, lengths), np.empty(0, np.int64)]).astype(np.int32) + 1,
            movies[positions],
            scores[owners, positions],
            reasons_of(self, known, best) if explain else None,
        )


@dataclass(frozen=True, eq=False)
class RankedLists:
    """Movies recommended to users, by user and rank.

    Attributes:
        users: The user of each recommendation.
        ranks: The rank of the movie, from 1.
        movies: The identifier of the movie.
        scores: Its score.
        reasons: The reasons; None if they were not asked for.
    """

    users: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.int32]
    movies: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    reasons: Reasons | None

    def to_frame(self) -> pl.DataFrame:
        """Return the dataframe of `Model.recommend`."""
        import polars as pl

        columns = {"userId": self.users, "rank": self.ranks, "movieId": self.movies, "score": self.scores}
        rows = pl.DataFrame(columns)
        return rows if self.reasons is None else rows.with_columns(reasons=self.reasons.to_series())

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows of `to_frame`, without userId."""
        columns: dict[str, list[Any]] = {
            "rank": self.ranks.tolist(),
            "movieId": self.movies.tolist(),
            "score": self.scores.tolist(),
        }
        if self.reasons is not None:
            columns["reasons"] = self.reasons.to_lists()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def best_movies(scores: npt.NDArray[np.float32], movies: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int64]:
    """Return the positions of the ``n`` highest scores, best first; equal scores are ordered by movie.

    Args:
        scores: A score for each of the first movies; -inf for those that are left out.
        movies: The identifiers of the movies.
        n: The number of positions; there are fewer if there are fewer movies.
    """
    import numpy as np

    n = min(n, len(scores))
    lowest = max(np.partition(scores, -n)[-n], np.finfo(np.float32).min) if n else 0.0
    found = np.flatnonzero(scores >= lowest)
    return found[np.lexsort((movies[found], -scores[found]))[:n]]


def check_number(n: Any) -> None:
    """Check how many movies to recommend.

    Raises:
        ValueError: It is no whole number of at least 1.
    """
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise ValueError(f"n is {shown(n)}: give a whole number of at least 1")


def _identifiers(users: Iterable[int] | None) -> npt.NDArray[np.int32]:
    import numpy as np

    identifiers = [] if users is None else list(users)
    (column,) = (column for column in RATINGS.columns if column.name == "userId")
    for user in identifiers:
        if isinstance(user, bool) or not isinstance(user, Integral) or not column.accepts([int(user)]):
            raise ValueError(f"users has {shown(user)}: give identifiers, each {column.expects}")
    return np.array(identifiers, np.int32)
