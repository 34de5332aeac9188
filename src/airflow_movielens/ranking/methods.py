"""The statistics that movies are ranked by. A formula takes numbers, or columns of a dataframe."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from airflow_movielens.ranking.movie_statistics import MovieStatistics

    Number = TypeVar("Number", float, pl.Expr)

LIKE = 4.0
"""A rating of at least so many stars is a like."""

_LIKES_PER_HALF_LIFE = 5000
_HALF_LIFE_DAYS = (7.0, 365.0)


def mean_rating(total: Number, count: Number) -> Number:
    """Return the arithmetic mean of ratings.

    Args:
        total: The sum of the ratings, in stars.
        count: Their number.
    """
    return total / count


def damped_mean(total: Number, count: Number, prior_mean: float, k: float) -> Number:
    """Return the mean rating after ``k`` further ratings of ``prior_mean``: (k·μ + Σr) / (k + n).

    Movies with few ratings stay near the mean of all ratings. Source: Funk, "Netflix Update: Try This at Home" (2006),
    who calls it the better mean; LensKit's damped mean.

    Args:
        total: The sum of the ratings, in stars.
        count: Their number.
        prior_mean: μ, the mean of all ratings.
        k: The number of further ratings.
    """
    return (total + k * prior_mean) / (count + k)


def wilson_interval(likes: Number, count: Number, confidence: float) -> tuple[Number, Number]:
    """Return the Wilson score interval of the share of likes.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22 (1927); its lower bound as a ranking: Miller, "How Not To Sort By Average Rating" (2009).

    Args:
        likes: The number of likes.
        count: The number of ratings.
        confidence: The probability with which the interval contains the share, such as 0.95 (z = 1.96).

    Returns:
        The lower and the upper bound, both from 0 to 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = likes + z * z / 2
    margin = z * (likes * (count - likes) / count + z * z / 4) ** 0.5
    return (centre - margin) / (count + z * z), (centre + margin) / (count + z * z)


def weighted_rating(total: Number, count: Number, prior_mean: float, m: float) -> Number:
    """Return the weighted rating n/(n + m)·mean + m/(n + m)·C, as (n·mean + m·C) / (n + m).

    The formula is that of the damped mean; ``m`` is taken from the counts of all movies. Source: IMDb, "How do you
    calculate the rank of movies on the Top Rated Movies list?".

    Args:
        total: The sum of the ratings, n·mean, in stars.
        count: Their number, n.
        prior_mean: C, the mean of all ratings.
        m: The number of ratings at which a movie's own mean weighs as much as C.
    """
    return damped_mean(total, count, prior_mean, m)


def half_life_of(likes: int, days: float) -> float:
    """Return the half-life of `trending` in days: clip(5000·ln 2 / likes per day, 7, 365).

    It is the half-life at which the decayed likes of all movies add up to 5,000 in the long run, so that dense data
    forget fast and sparse data slowly.

    Args:
        likes: The number of likes.
        days: The time in which they were given.
    """
    shortest, longest = _HALF_LIFE_DAYS
    return min(max(_LIKES_PER_HALF_LIFE * math.log(2) * days / likes, shortest), longest) if likes else longest


def many_ratings(counts: list[int]) -> int:
    """Return the smallest number of ratings that at least 99 % of movies do not exceed; 0 without movies.

    Args:
        counts: The number of ratings of each movie.
    """
    return sorted(counts)[-(-99 * len(counts) // 100) - 1] if counts else 0


@dataclass(frozen=True)
class RankingMethod:
    """A way to rank movies.

    Attributes:
        name: Its name, as in ``method="bayesian"``.
        columns: Returns the columns of a ranking from the statistics of movies and the parameters: ``score`` first,
            then the method's own.
        sums: The sums over each movie's ratings that the method needs; see `MovieStatistics`.
        parameters: The names of its parameters, each with a description of its values.
        defaults: The values of parameters that are not given; without those that depend on the ratings.
        min_ratings: The default of ``min_ratings``.
    """

    name: str
    columns: Callable[[MovieStatistics, Mapping[str, float]], dict[str, pl.Expr]]
    sums: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, float] = field(default_factory=dict)
    min_ratings: int = 1

    def checked(self, given: Mapping[str, Any]) -> dict[str, float]:
        """Return the parameters given, without those that are None, and the defaults of the others.

        Raises:
            ValueError: A parameter is unknown, or its value is not one of those allowed.
        """
        parameters = {name: value for name, value in given.items() if value is not None}
        for name, value in parameters.items():
            if name not in self.parameters:
                takes = f"takes {', '.join(self.parameters)}" if self.parameters else "takes no parameter"
                raise ValueError(f"the ranking method {self.name} has no parameter {name}: it {takes}")
            if not _is_allowed(name, value):
                raise ValueError(f"{name} is {shown(value)}: give {self.parameters[name]}")
        return {**self.defaults, **parameters}


def ranking_method(name: str) -> RankingMethod:
    """Return a ranking method by its name.

    Raises:
        ValueError: The method is unknown.
    """
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(f"there is no ranking method {shown(name)}: use one of {', '.join(METHODS)}")
    return METHODS[name]


def _is_allowed(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if name == "confidence":
        return 0 < value < 1
    return value > 0 if name == "half_life" else value >= 0


def _mean(_: MovieStatistics, __: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    return {"score": mean_rating(pl.col("total"), pl.col("num_ratings"))}


def _bayesian(statistics: MovieStatistics, parameters: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    total, count = pl.col("total"), pl.col("num_ratings")
    score = damped_mean(total, count, statistics.mean_rating, parameters["k"])
    return {"score": score, "avg_rating": mean_rating(total, count)}


def _wilson(_: MovieStatistics, parameters: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    likes, count = pl.col("num_likes"), pl.col("num_ratings")
    lower, upper = wilson_interval(likes, count, parameters["confidence"])
    return {"score": lower, "like_share": likes / count, "upper_bound": upper}


def _imdb(statistics: MovieStatistics, parameters: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    total, count = pl.col("total"), pl.col("num_ratings")
    m = parameters.get("m", many_ratings(statistics.movies["num_ratings"].to_list()))
    score = weighted_rating(total, count, statistics.mean_rating, m)
    return {"score": score, "avg_rating": mean_rating(total, count)}


def _popular(_: MovieStatistics, __: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    return {"score": pl.col("num_likes"), "like_share": pl.col("num_likes") / pl.col("num_ratings")}


def _trending(_: MovieStatistics, __: Mapping[str, float]) -> dict[str, pl.Expr]:
    import polars as pl

    return {"score": pl.col("decayed_likes"), "num_likes": pl.col("num_likes")}


_COUNT, _SHARE = "a number of at least 0", "a number between 0 and 1, such as 0.95"
_METHODS = (
    RankingMethod("mean", _mean, ("total",), min_ratings=3),
    RankingMethod("bayesian", _bayesian, ("total",), {"k": _COUNT}, {"k": 100}),
    RankingMethod("wilson", _wilson, ("num_likes",), {"confidence": _SHARE}, {"confidence": 0.95}),
    RankingMethod("imdb", _imdb, ("total",), {"m": _COUNT}),
    RankingMethod("popular", _popular, ("num_likes",)),
    RankingMethod("trending", _trending, ("num_likes", "decayed_likes"), {"half_life": "a number of days above 0"}),
)
METHODS: Mapping[str, RankingMethod] = {method.name: method for method in _METHODS}
