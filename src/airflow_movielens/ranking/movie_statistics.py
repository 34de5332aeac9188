"""What rankings need to know of each movie, summed up by the engine that holds the ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.methods import LIKE, half_life_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import narwhals as nw
    import polars as pl

_DAY = 86_400
# The weights of likes are added up as integers, so that every engine gets the same sum in any order.
_WEIGHT_UNITS = 2**36
# The latest rating is the greatest of these numbers: its second, then twice its stars (1 to 10).
_CODES_PER_SECOND = 16
# Identifiers have 32 bits.
_IDENTIFIERS = 2**32


@dataclass(frozen=True)
class MovieStatistics:
    """Sums over the ratings that count: the latest of each user and movie.

    Attributes:
        movies: One row per movie: movieId, num_ratings (int64), total (float64, stars), num_likes (int64) and, if
            likes decay, decayed_likes (float64).
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

    def weight(self, timestamp: nw.Expr) -> nw.Expr:
        """Return the weights of likes in whole units."""
        rate = math.log(2) / (self.half_life * _DAY)
        return _rounded(((timestamp - self.as_of) * rate).exp() * _WEIGHT_UNITS)


def decay_of(ratings: nw.LazyFrame[Any], as_of: int | None, half_life: float | None) -> Decay:
    """Return the decay of likes: until the last rating and with the half-life of these data, if they are not given."""
    import narwhals as nw

    stamps, likes = nw.col("timestamp"), nw.col("rating") >= LIKE
    found = _collected(
        ratings.select(
            first=stamps.min().cast(nw.Int64),
            last=stamps.max().cast(nw.Int64),
            likes=likes.cast(nw.Int64).sum(),
        )
    )
    first, last, number = found.row(0)
    end = as_of if as_of is not None else (last or 0)
    days = (end - (end if first is None else first)) / _DAY
    return Decay(end, half_life if half_life is not None else half_life_of(int(number or 0), days))


def movie_statistics(
    ratings: nw.LazyFrame[Any], decay: Decay | None = None, *, unique: bool = False, parts: int = 1
) -> MovieStatistics:
    """Sum up the ratings of each movie.

    Args:
        ratings: userId, movieId, rating and timestamp (whole Unix seconds), checked.
        decay: The decay of likes; None if they are only counted.
        unique: Whether the caller knows that no user rated a movie twice, which saves most of the time and memory.
        parts: In how many parts the movies are divided, to bound memory; each part reads all ratings.
    """
    import narwhals as nw
    import polars as pl

    sums = [
        nw.col("half_stars").count().alias("num_ratings"),
        nw.col("half_stars").sum().alias("total"),
        nw.col("like").sum().alias("num_likes"),
    ]
    if decay is not None:
        sums.append(nw.col("weight").sum().alias("decayed_likes"))
    found = []
    for part in _parts(ratings, 1 if unique else parts):
        latest = part.with_columns(half_stars=_half_stars()) if unique else _latest(part)
        rows = latest.with_columns(like=(nw.col("half_stars") >= round(2 * LIKE)).cast(nw.Int64))
        if decay is not None:
            rows = rows.with_columns(weight=nw.col("like") * decay.weight(nw.col("timestamp")))
        found.append(_collected(rows.group_by("movieId").agg(*sums)))
    # DuckDB adds integers up in 128 bits.
    movies = pl.concat(found).with_columns(pl.exclude("movieId").cast(pl.Int64))
    movies = movies.with_columns(total=pl.col("total") / 2)
    if decay is not None:
        movies = movies.with_columns(pl.col("decayed_likes") / _WEIGHT_UNITS)
    return MovieStatistics(movies)


def _parts(ratings: nw.LazyFrame[Any], parts: int) -> Iterator[nw.LazyFrame[Any]]:
    import narwhals as nw

    if parts == 1:
        yield ratings
        return
    for part in range(parts):
        yield ratings.filter(nw.col("movieId") % parts == part)


def _latest(ratings: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the latest rating of each user and movie; at the same second, the higher one."""
    import narwhals as nw

    # One number per user and movie, and one per second and rating: several columns take twice the time and memory.
    pair = nw.col("movieId").cast(nw.Int64) * _IDENTIFIERS + (nw.col("userId").cast(nw.Int64) + _IDENTIFIERS // 2)
    code = nw.col("timestamp") * _CODES_PER_SECOND + _half_stars()
    latest = ratings.select(pair=pair, code=code).group_by("pair").agg(nw.col("code").max())
    return latest.select(
        movieId=(nw.col("pair") // _IDENTIFIERS).cast(ratings.collect_schema()["movieId"]),
        half_stars=nw.col("code") % _CODES_PER_SECOND,
        timestamp=nw.col("code") // _CODES_PER_SECOND,
    )


def _half_stars() -> nw.Expr:
    """Return ratings as whole numbers from 1 to 10, whose sums are exact."""
    import narwhals as nw

    return (nw.col("rating") * 2).cast(nw.Int64)


def _rounded(numbers: nw.Expr) -> nw.Expr:
    """Round numbers of at least 0: engines differ in how they round halves."""
    import narwhals as nw

    return (numbers + 0.5).floor().cast(nw.Int64)


def _collected(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    polars: pl.DataFrame
    if frame.implementation.is_polars():
        polars = frame.collect(backend="polars", engine="streaming").to_native()
    else:
        polars = frame.collect(backend="polars").to_native()
    return polars
