"""How good recommendations to new users are, without leaks.

At a moment, the cut, a model is trained on the ratings before it. Users who rate for the first time at or after the cut
are new to it. Their ratings up to and with the H-th like are given to the model, which recommends ten movies that they
have not rated by then; relevant are those that they like later. Catalogue and trend are from before the cut too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_movielens.ranking.dataframes import checked_ratings
from airflow_movielens.recommending.catalogue import decayed_likes
from airflow_movielens.recommending.histories import histories_of, latest_of, vectors
from airflow_movielens.recommending.matrices import liked_together
from airflow_movielens.recommending.model import best_movies
from airflow_movielens.recommending.parameters import ModelParameters
from airflow_movielens.recommending.training import train_on_latest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl
    from scipy.sparse import csr_array

    from airflow_movielens.recommending.catalogue import Catalogue
    from airflow_movielens.recommending.histories import Histories

_TOP = 10
# New users have at least so many likes, and so many more than are known.
_LIKES, _LATER_LIKES = 15, 5
_EASE_REGULARISATION = 400.0
_DRAWS = 10_000


class Recommender(Protocol):
    """What is evaluated."""

    def scores(self, histories: Histories, num_others: int = 0) -> npt.NDArray[np.float32]:
        """Return the scores of the catalogue's movies for users; see `Model.scores`."""


@dataclass(frozen=True)
class Comparison:
    """The mean difference of two recommenders over the same users, by a paired bootstrap.

    Attributes:
        mean: The mean difference.
        low: The lower bound of its 95 % interval.
        high: The upper bound.
        p: The share of draws without a positive mean: one-sided, how likely such a difference is by chance.
    """

    mean: float
    low: float
    high: float
    p: float


def evaluate_new_users(
    ratings: Any, cut: int, known_likes: Sequence[int] = (1, 3, 10), parameters: ModelParameters | None = None
) -> pl.DataFrame:
    """Evaluate a model and two baselines on new users: NDCG@10, with everything rated left out.

    The baselines are the trending movies, and EASE (λ = 400) on likes.

    Args:
        ratings: A dataframe as for `train`.
        cut: The moment, in Unix seconds: the model is trained on the ratings before it.
        known_likes: For each number H, users are evaluated with their ratings up to and with the H-th like of a movie
            of the catalogue; only users with at least max(15, H + 5) such likes.
        parameters: The parameters of the model; None for the defaults.

    Returns:
        known_likes, userId, and the NDCG@10 of model, ease and trending, sorted by known_likes and userId.

    Raises:
        TypeError: The ratings are no such dataframe.
        ValueError: No rating is before the cut, a column is missing, or a value is missing or wrong.
    """
    import narwhals as nw
    import polars as pl

    checked = checked_ratings(ratings)
    before = latest_of(nw.to_native(checked.filter(nw.col("timestamp") < cut)))
    if before.is_empty():
        raise ValueError(f"no rating is before the cut {cut}: give a later one")
    model = train_on_latest(before, parameters or ModelParameters())
    recommenders: dict[str, Recommender] = {
        "model": model,
        "ease": _Ease(before, model.catalogue),
        "trending": _Trending(before, model.catalogue),
    }
    later = latest_of(nw.to_native(checked.filter(nw.col("timestamp") >= cut)))
    new = later.join(before, on="userId", how="anti", maintain_order="left")
    rated = histories_of(new, model.catalogue.all_movies)
    return pl.concat(_figures(recommenders, model.catalogue, rated, likes) for likes in known_likes)


def compare(model: pl.Series, baseline: pl.Series, *, seed: int = 0) -> Comparison:
    """Compare the figures of two recommenders for the same users."""
    import numpy as np

    differences = (model - baseline).to_numpy()
    random = np.random.default_rng(seed)
    size = len(differences)
    draws = (differences[random.integers(size, size=(_DRAWS // 100, size))].mean(axis=1) for _ in range(100))
    means = np.concatenate(list(draws))
    low, high = np.quantile(means, [0.025, 0.975])
    return Comparison(float(differences.mean()), float(low), float(high), float(np.mean(means <= 0)))


def ndcg(recommended: npt.NDArray[Any], relevant: npt.NDArray[Any]) -> float:
    """Return the NDCG@10: the discounted gain of the relevant movies, as a share of the highest possible.

    Args:
        recommended: The recommended movies, best first.
        relevant: The relevant movies, at least one.
    """
    import numpy as np

    discounts = 1 / np.log2(np.arange(_TOP) + 2)
    gains = discounts[: len(recommended)][np.isin(recommended, relevant)]
    return float(gains.sum() / discounts[: len(relevant)].sum())


def _figures(
    recommenders: Mapping[str, Recommender], catalogue: Catalogue, rated: Histories, known_likes: int
) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    are_likes = rated.are_likes & (rated.movies < len(catalogue.movies))
    num_likes = np.bincount(rated.owners[are_likes], minlength=len(rated.users))
    is_known = rated.number_before(are_likes) < known_likes
    known, relevant = rated.keep(is_known), rated.keep(~is_known & are_likes)
    users = np.flatnonzero(num_likes >= max(_LIKES, known_likes + _LATER_LIKES))
    figures = {name: _ndcg_of_users(each, catalogue, known, relevant, users) for name, each in recommenders.items()}
    columns = {"known_likes": np.full(len(users), known_likes, np.int32), "userId": rated.users[users]}
    return pl.DataFrame({**columns, **figures})


def _ndcg_of_users(
    recommender: Recommender, catalogue: Catalogue, known: Histories, relevant: Histories, users: npt.NDArray[Any]
) -> list[float]:
    """Return the NDCG@10 of some users."""
    found = []
    size = len(catalogue.movies)
    for user in users:
        history, later = known.of_users(user, user + 1), relevant.of_users(user, user + 1)
        (scores,) = recommender.scores(history.keep(history.movies < size), len(catalogue.other_movies))
        scores[history.movies] = -math.inf
        found.append(ndcg(best_movies(scores, catalogue.all_movies, _TOP), later.movies))
    return found


class _Ease:
    """EASE on likes."""

    def __init__(self, ratings: pl.DataFrame, catalogue: Catalogue) -> None:
        self.num_movies = len(catalogue.movies)
        self.matrix = liked_together(self._likes(histories_of(ratings, catalogue.movies)), _EASE_REGULARISATION)

    def scores(self, histories: Histories, num_others: int = 0) -> npt.NDArray[np.float32]:
        import numpy as np

        others = np.full((len(histories.users), num_others), -np.inf, np.float32)
        return np.hstack([self._likes(histories) @ self.matrix, others])

    def _likes(self, histories: Histories) -> csr_array:
        return vectors(histories, histories.are_likes.astype("float32"), self.num_movies)


class _Trending:
    """The movies with the most decayed likes, for everybody."""

    def __init__(self, ratings: pl.DataFrame, catalogue: Catalogue) -> None:
        self.likes = decayed_likes(ratings, catalogue.movies)

    def scores(self, histories: Histories, num_others: int = 0) -> npt.NDArray[np.float32]:
        import numpy as np

        one = np.concatenate([self.likes, np.full(num_others, -np.inf, np.float32)])
        return np.tile(one, (len(histories.users), 1))
