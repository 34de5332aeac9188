"""The parameters of a model, chosen by ratings.

The ratings are cut twice. Those after the later cut are not used, so that the choice has not seen what an evaluation at
its default cuts recommends. A smaller model is trained on the ratings before the earlier cut, and recommends movies to
the users who are new between both. One half of these users searches, one parameter after the other. The other half
decides: what was found replaces the defaults only if it is better for them, with a one-sided p below 0.05 in a paired
bootstrap. So the defaults are replaced without reason in one of twenty cases at most, however many values were tried.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.catalogue import Catalogue, catalogue_of
from airflow_movielens.recommending.evaluation.bootstrap import compare
from airflow_movielens.recommending.evaluation.figures import TOP, figures_of_users
from airflow_movielens.recommending.evaluation.protocols import Cut, Protocol, default_cuts, new_users
from airflow_movielens.recommending.histories import histories_of
from airflow_movielens.recommending.matrices import ProductsOfHistories, add_liked_later, item_matrix
from airflow_movielens.recommending.model import Model, TrainingData
from airflow_movielens.recommending.parameters import ModelParameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.matrices import Columns, Matrix

# The differences between two sets of parameters have a standard deviation of about 0.04 over users. So 300 users can
# tell a difference of 0.005 in NDCG, about 1 %. Fewer could tell only differences that parameters do not make.
_FEWEST_USERS = 300
_MOST_USERS = 1_000
_HIGHEST_P = 0.05
_KNOWN_LIKES = (1, 3, 10)
# Matrices of so many movies are inverted within a second.
_MOVIES = 1_500
_VALUES = {
    "later_likes": (0.0, 0.2, 0.4, 0.8),
    "decay": (0.0, 0.02, 0.05, 0.1),
    "lambda_1": (200.0, 400.0, 800.0, 1600.0),
    "lambda_2": (200.0, 400.0, 800.0, 1600.0),
    "trend": (0.3, 0.6, 1.2),
}


def choose_parameters(ratings: pl.DataFrame) -> tuple[ModelParameters, dict[str, Any]]:
    """Return the parameters that suit ratings, and how they were chosen.

    Args:
        ratings: The latest ratings, as `histories.latest_of` returns them.

    Returns:
        The parameters, and a record of what was tried; docs/model-format.md describes it.
    """
    defaults = ModelParameters()
    cut = _cut(ratings)
    if cut is None:
        return defaults, _kept("there are too few users to choose by", 0)
    trial = _Trial.of(cut)
    users = trial.num_users
    if users < 2 * _FEWEST_USERS:
        return defaults, _kept(f"{users} new users are too few: {2 * _FEWEST_USERS} are needed", users)
    found, tried = _searched(trial, defaults)
    record = {"cut": cut.second, "until": int(cut.ratings["timestamp"].max()), "users": users, "tried": tried}
    if found == defaults:
        return defaults, _kept("no other values are better for the users who search", users) | record
    difference = compare(trial.ndcg(found, decides=True), trial.ndcg(defaults, decides=True))
    record |= {"found": asdict(found), "difference": asdict(difference)}
    if difference.p >= _HIGHEST_P:
        return defaults, _kept("what was found is not clearly better for the users who decide", users) | record
    return found, record | {"replaces_defaults": True, "reason": "what was found is better for the users who decide"}


def _kept(reason: str, users: int) -> dict[str, Any]:
    return {"replaces_defaults": False, "reason": f"the defaults: {reason}", "users": users}


def _cut(ratings: pl.DataFrame) -> Cut | None:
    """Return the cut at which two thirds of the users had rated, of the ratings before the default cuts."""
    import polars as pl

    try:
        earlier = ratings.filter(pl.col("timestamp") < default_cuts(ratings)[0])
    except ValueError:
        return None
    first = earlier.group_by("userId").agg(pl.col("timestamp").min())["timestamp"].sort()
    second = int(first[2 * len(first) // 3])
    return Cut.of(earlier, second) if second > first[0] else None


def _searched(trial: _Trial, defaults: ModelParameters) -> tuple[ModelParameters, list[dict[str, Any]]]:
    """Change one parameter after the other, to its best value, and return the result and what was tried."""
    best, highest = defaults, _mean(trial, defaults)
    tried = [{"ndcg": highest}]
    for name, values in _VALUES.items():
        if name == "lambda_2" and not best.later_likes:
            continue
        start = best
        for value in values:
            candidate = replace(start, **{name: value})  # type: ignore[arg-type]
            if candidate == start:
                continue
            ndcg = _mean(trial, candidate)
            tried.append({name: value, "ndcg": ndcg})
            if ndcg > highest:
                best, highest = candidate, ndcg
    return best, tried


def _mean(trial: _Trial, parameters: ModelParameters) -> float:
    return float(trial.ndcg(parameters, decides=False).mean())  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class _Trial:
    """A smaller model, whose parameters are tried, and two halves of new users.

    Attributes:
        ratings: What it is trained on.
        trained_on: A description of these ratings.
        catalogue: The most liked movies.
        protocols: For the users who search, then for those who decide: one for each number of known likes.
        num_users: How many users there are in both halves.
    """

    ratings: pl.DataFrame
    trained_on: TrainingData
    catalogue: Catalogue
    protocols: tuple[Sequence[Protocol], Sequence[Protocol]]
    num_users: int
    _products: dict[float, _Kept] = field(default_factory=dict)
    _matrices: dict[tuple[float, ...], Matrix] = field(default_factory=dict)

    @classmethod
    def of(cls, cut: Cut) -> _Trial:
        import polars as pl

        whole = catalogue_of(cut.before, ModelParameters(max_movies=_MOVIES))
        catalogue = replace(whole, other_movies=whole.other_movies[:0], other_trend=whole.other_trend[:0])
        found = [new_users(cut, pl.Series(catalogue.movies), likes) for likes in _KNOWN_LIKES]
        # Those with enough likes for the largest number of known likes.
        shuffled = found[-1].users.sample(fraction=1, shuffle=True, seed=0)
        half = min(len(shuffled) // 2, _MOST_USERS)
        halves = (shuffled[:half], shuffled[half : 2 * half])
        searching, deciding = ([protocol.of_users(users) for protocol in found] for users in halves)
        return cls(cut.before, TrainingData.of(cut.before), catalogue, (searching, deciding), 2 * half)

    def ndcg(self, parameters: ModelParameters, *, decides: bool) -> pl.Series:
        """Return the NDCG@10 of each user of a half, averaged over the numbers of known likes."""
        import polars as pl

        model = Model(parameters, self.catalogue, self._matrix(parameters), self.trained_on)
        figures = [
            figures_of_users(model.recommend(protocol.known, TOP, protocol.users), protocol.relevant)["ndcg"].alias(
                str(number)
            )
            for number, protocol in enumerate(self.protocols[decides])
        ]
        return pl.DataFrame(figures).mean_horizontal()

    def _matrix(self, parameters: ModelParameters) -> Matrix:
        """Return B₁ + c·B₂; each of both is computed once."""
        import numpy as np

        size = len(self.catalogue.movies)
        products = self._products_of(parameters.decay)
        first, second = (parameters.lambda_1,), (parameters.lambda_2, parameters.decay)
        if first not in self._matrices:
            self._matrices[first] = item_matrix(products, size, replace(parameters, later_likes=0.0))
        if not parameters.later_likes:
            return self._matrices[first]
        if second not in self._matrices:
            self._matrices[second] = np.zeros((size, size), np.float32)
            add_liked_later(self._matrices[second], products, parameters.lambda_2, 1.0)
        return self._matrices[first] + np.float32(parameters.later_likes) * self._matrices[second]

    def _products_of(self, decay: float) -> _Kept:
        if decay not in self._products:
            histories = histories_of(self.ratings, self.catalogue.movies)
            self._products[decay] = _Kept.of(histories, len(self.catalogue.movies), decay)
        return self._products[decay]


@dataclass(frozen=True, eq=False)
class _Kept:
    """The products of the weights, computed once."""

    together: list[Columns]
    gram_of_first: list[Columns]
    later: list[Columns]

    @classmethod
    def of(cls, histories: Histories, num_movies: int, decay: float) -> _Kept:
        products = ProductsOfHistories(histories, num_movies, decay)
        gram, later = products.liked_later()
        return cls(list(products.liked_together()), list(gram), list(later))

    def liked_together(self) -> Iterator[Columns]:
        """Yield all columns of XᵀX."""
        return iter(self.together)

    def liked_later(self) -> tuple[Iterator[Columns], Iterator[Columns]]:
        """Return all columns of SᵀS, then those of SᵀY."""
        return iter(self.gram_of_first), iter(self.later)
