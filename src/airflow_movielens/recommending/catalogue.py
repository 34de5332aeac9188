"""The movies of a model, and how many users like them now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import collected
from airflow_movielens.ranking.methods import LIKE, damped_mean
from airflow_movielens.ranking.movie_statistics import Decay, MovieStatistics, movie_statistics
from airflow_movielens.recommending.parameters import movies_that_fit

if TYPE_CHECKING:
    import narwhals as nw
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from airflow_movielens.recommending.parameters import ModelParameters

_FURTHER_RATINGS = 25


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The movies of a model and their trend.

    Attributes:
        movies: The identifiers of the movies in the item-by-item matrix, ascending.
        trend: The trend of each of them: log(1 + decayed likes) · damped mean, scaled to a maximum of 1.
        other_movies: The identifiers of all other movies, by trend (highest first), then identifier.
        other_trend: The trend of each of these.
    """

    movies: npt.NDArray[np.int32]
    trend: npt.NDArray[np.float32]
    other_movies: npt.NDArray[np.int32]
    other_trend: npt.NDArray[np.float32]

    @property
    def all_movies(self) -> npt.NDArray[np.int32]:
        """The identifiers of the movies of the catalogue, then of all others."""
        import numpy as np

        return np.concatenate([self.movies, self.other_movies])


def catalogue_of(ratings: Any, parameters: ModelParameters) -> Catalogue:
    """Return the catalogue of ratings.

    Args:
        ratings: userId, movieId, rating and timestamp: the latest rating of each user and movie. A dataframe of any
            kind that Narwhals supports; its engine adds up the ratings of each movie.
        parameters: The parameters of the model.
    """
    import narwhals as nw
    import polars as pl

    frame = nw.from_native(ratings).lazy()
    likes = _likes(frame)
    movies = _liked_movies(likes, parameters)
    trends = _trends(frame, likes, movies)
    inside = trends.filter(pl.col("movieId").is_in(movies.implode())).sort("movieId")
    others = trends.filter(~pl.col("movieId").is_in(movies.implode()))
    others = others.sort("trend", "movieId", descending=[True, False])
    return Catalogue(
        inside["movieId"].to_numpy(), inside["trend"].to_numpy(), others["movieId"].to_numpy(),
        others["trend"].to_numpy(),
    )  # fmt: skip


def decayed_likes(ratings: Any, movies: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Return the decayed likes of movies of the catalogue, as the ranking `trending` counts them."""
    import narwhals as nw
    import polars as pl

    frame = nw.from_native(ratings).lazy()
    sums = _statistics(frame, _likes(frame), pl.Series(movies))
    wanted = pl.DataFrame({"movieId": movies}).join(sums, on="movieId", how="left", maintain_order="left")
    return wanted["decayed_likes"].cast(pl.Float32).to_numpy()


def _likes(ratings: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Return the number of likes of each movie, and its first and last timestamp."""
    import narwhals as nw
    import polars as pl

    like = (nw.col("rating") >= LIKE).cast(nw.Int64)
    rows = ratings.select("movieId", likes=like, first=nw.col("timestamp"), last=nw.col("timestamp"))
    found = rows.group_by("movieId").agg(nw.col("likes").sum(), nw.col("first").min(), nw.col("last").max())
    return collected(found).with_columns(pl.col("movieId").cast(pl.Int32))


def _liked_movies(likes: pl.DataFrame, parameters: ModelParameters) -> pl.Series:
    """Return the movies with enough likes; if they are too many, those with more likes than the first left out."""
    import polars as pl

    limit = parameters.max_movies or movies_that_fit()
    likes = likes.filter(pl.col("likes") >= parameters.min_likes).sort("likes", descending=True)
    if len(likes) > limit:
        likes = likes.filter(pl.col("likes") > likes["likes"][limit])
    return likes["movieId"]


def _trends(ratings: nw.LazyFrame[Any], likes: pl.DataFrame, movies: pl.Series) -> pl.DataFrame:
    """Return the trend of every movie, scaled by the highest of the catalogue."""
    import polars as pl

    sums = _statistics(ratings, likes, movies)
    is_inside = pl.col("movieId").is_in(movies.implode())
    mean = MovieStatistics(sums.filter(is_inside)).mean_rating
    liking = damped_mean(pl.col("total"), pl.col("num_ratings"), mean, _FURTHER_RATINGS)
    trends = sums.select("movieId", trend=pl.col("decayed_likes").log1p() * liking)
    highest = trends.filter(is_inside)["trend"].max() or trends["trend"].max() or 1.0
    return trends.with_columns((pl.col("trend") / highest).cast(pl.Float32))


def _statistics(ratings: nw.LazyFrame[Any], likes: pl.DataFrame, movies: pl.Series) -> pl.DataFrame:
    """Return the sums of all movies; likes decay until the last rating, with the half-life of the catalogue."""
    import polars as pl

    last = likes["last"].max()
    inside = likes.filter(pl.col("movieId").is_in(movies.implode()))
    first, number = inside.select(pl.col("first").min().fill_null(last), pl.col("likes").sum()).row(0)
    decay = Decay.between(first, last, number)  # type: ignore[arg-type]
    statistics = movie_statistics(ratings, ["total", "decayed_likes"], decay, unique=True)
    return statistics.movies.with_columns(pl.col("movieId").cast(pl.Int32))
