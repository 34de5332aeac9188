"""What rankings need to know of each movie, summed up by the engine that holds the ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import collected
from airflow_movielens.ranking.methods import LIKE, half_life_of
from airflow_movielens.ranking.re_ratings import half_stars, latest_ratings, superseded_ratings

if TYPE_CHECKING:
    from collections.abc import Collection

    import narwhals as nw
    import polars as pl

_DAY = 86_400
# The weights of likes are added up as integers, so that every engine gets the same sum in any order.
_WEIGHT_UNITS = 2**36


@dataclass(frozen=True)
class MovieStatistics:
    """Sums over the ratings that count: the latest of each user and movie.

    Attributes:
        movies: One row per movie: movieId, num_ratings (int64) and, if they were asked for, total (float64, stars),
            num_likes (int64) and decayed_likes (float64).
    """

    movies: pl.DataFrame

    @property
    def mean_rating(self) -> float:
        """The mean of all ratings, in stars; 0 without ratings."""
        count = int(self.movies["num_ratings"].sum())
        return float(self.movies["total"].sum()) / count if count else 0.0


@dataclass(frozen=True)
class Decay:
    """How much a like weighs, by its age: 2^(-age / half-life).

    Attributes:
        as_of: The Unix second at which the age is taken.
        half_life: Days after which a like weighs half as much.
    """

    as_of: int
    half_life: float

    @classmethod
    def between(cls, first: int, last: int, likes: int) -> Decay:
        """Return the decay until the last of some ratings, with the half-life of their likes."""
        return cls(last, half_life_of(likes, (last - first) / _DAY))

    def weight(self, timestamp: nw.Expr) -> nw.Expr:
        """Return the weights of likes in whole units."""
        rate = math.log(2) / (self.half_life * _DAY)
        return _rounded(((timestamp - self.as_of) * rate).exp() * _WEIGHT_UNITS)


def decay_of(ratings: nw.LazyFrame[Any], as_of: int | None, half_life: float | None) -> Decay:
    """Return the decay of likes: until the last rating and with the half-life of these data, if they are not given."""
    import narwhals as nw

    stamps, likes = nw.col("timestamp"), nw.col("rating") >= LIKE
    found = collected(
        ratings.select(
            first=stamps.min().cast(nw.Int64),
            last=stamps.max().cast(nw.Int64),
            likes=likes.cast(nw.Int64).sum(),
        )
    )
    first, last, number = found.row(0)
    end = as_of if as_of is not None else (last or 0)
    if half_life is not None:
        return Decay(end, half_life)
    return Decay.between(end if first is None else first, end, int(number or 0))


def movie_statistics(
    ratings: nw.LazyFrame[Any], sums: Collection[str], decay: Decay | None = None, *, unique: bool = False
) -> MovieStatistics:
    """Sum up the ratings of each movie.

    Args:
        ratings: userId, movieId, rating and timestamp (whole Unix seconds), checked.
        sums: The columns of `MovieStatistics` to compute, besides movieId and num_ratings.
        decay: The decay of likes, for ``decayed_likes``.
        unique: Whether the caller knows that no user rated a movie twice, which saves most of the time and memory.
    """
    return _statistics([_sums(ratings if unique else latest_ratings(ratings), sums, decay)])


def movie_statistics_of_files(
    ratings: pl.LazyFrame,
    sums: Collection[str],
    decay: Decay | None = None,
    *,
    unique: bool = False,
    rows_at_once: int,
) -> MovieStatistics:
    """Sum up the ratings of each movie with memory bounded by the number of movies, not of ratings.

    All ratings are added up; then those are subtracted that do not count because the user rated the movie again later.

    Args:
        ratings: userId, movieId, rating and timestamp (whole Unix seconds), checked and scanned from files.
        sums: The columns of `MovieStatistics` to compute, besides movieId and num_ratings.
        decay: The decay of likes, for ``decayed_likes``.
        unique: Whether the caller knows that no user rated a movie twice, which saves most of the time and memory.
        rows_at_once: About how many ratings are held in memory, in 8 bytes each.
    """
    import narwhals as nw
    import polars as pl

    found = [_sums(nw.from_native(ratings), sums, decay)]
    if not unique:
        parts = -(-int(found[0]["num_ratings"].sum()) // rows_at_once)
        for superseded in superseded_ratings(ratings, parts):
            excess = _sums(nw.from_native(superseded.lazy()), sums, decay)
            found.append(excess.with_columns(-pl.exclude("movieId")))
    return _statistics(found)


def _sums(ratings: nw.LazyFrame[Any], sums: Collection[str], decay: Decay | None) -> pl.DataFrame:
    """Add up the ratings of each movie as whole numbers: half-stars, and weights of likes in units."""
    import narwhals as nw
    import polars as pl

    like = (nw.col("rating") >= LIKE).cast(nw.Int64)
    values = {"total": half_stars(), "num_likes": like}
    if decay is not None:
        values["decayed_likes"] = like * decay.weight(nw.col("timestamp"))
    rows = ratings.select("movieId", **{name: values[name] for name in sums})
    found = collected(
        rows.group_by("movieId").agg(nw.len().alias("num_ratings"), *(nw.col(name).sum() for name in sums))
    )
    # Counts have 32 bits in Polars, sums 128 in DuckDB.
    return found.with_columns(pl.exclude("movieId").cast(pl.Int64))


def _statistics(sums: list[pl.DataFrame]) -> MovieStatistics:
    import polars as pl

    movies = pl.concat(sums).group_by("movieId").sum()
    units = {"total": 2, "decayed_likes": _WEIGHT_UNITS}
    return MovieStatistics(
        movies.with_columns(pl.col(name) / unit for name, unit in units.items() if name in movies.columns)
    )


def _rounded(numbers: nw.Expr) -> nw.Expr:
    """Round numbers of at least 0: engines differ in how they round halves."""
    import narwhals as nw

    return (numbers + 0.5).floor().cast(nw.Int64)
