"""The figures of recommendations: how well they find what users like later, and what else is to be known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import collected
from airflow_movielens.ranking.methods import LIKE

if TYPE_CHECKING:
    import polars as pl

TOP = 10
# The movies that receive this share of all likes are the head of the catalogue, the others the long tail.
_HEAD = 0.8


@dataclass(frozen=True, eq=False)
class Popularity:
    """How popular movies were before a cut.

    Attributes:
        movies: movieId, information (-log2 of the share of users who rated it) and is_tail (whether it is none of the
            movies that receive 80 % of the likes).
        catalogue: The number of movies in the catalogue.
    """

    movies: pl.DataFrame
    catalogue: int

    @classmethod
    def of(cls, ratings: Any, catalogue: int) -> Popularity:
        """Count the ratings before a cut, the latest of each user and movie, of Polars or PySpark."""
        import narwhals as nw
        import polars as pl

        frame = nw.from_native(ratings).lazy()
        users = collected(frame.select(nw.col("userId").n_unique())).item()
        rows = frame.select("movieId", likes=(nw.col("rating") >= LIKE).cast(nw.Int64), raters=nw.lit(1))
        counts = collected(rows.group_by("movieId").agg(nw.col("likes").sum(), nw.col("raters").sum()))
        counts = counts.with_columns(pl.col("movieId").cast(pl.Int32))
        likes = pl.col("likes")
        movies = counts.sort("likes", "movieId", descending=[True, False]).select(
            "movieId",
            information=-(pl.col("raters") / users).log(2),
            is_tail=likes.cum_sum() - likes >= _HEAD * likes.sum(),
        )
        return cls(movies, catalogue)


def figures_of_users(recommended: pl.DataFrame, relevant: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of each user.

    Args:
        recommended: userId, rank and movieId of ten recommendations, or fewer.
        relevant: userId and movieId of the relevant movies, at least one for each user.

    Returns:
        userId, sorted, and of each user ndcg, the discounted gain of the relevant movies as a share of the highest
        possible; and recall, the share of the relevant movies that is recommended.
    """
    import polars as pl

    gain = 1 / (pl.col("rank") + 1).log(2)
    hits = recommended.join(relevant, on=["userId", "movieId"], how="semi")
    found = hits.group_by("userId").agg(gained=gain.sum(), hits=pl.len())
    ideal = pl.DataFrame({"rank": range(1, TOP + 1)}).select(
        pl.col("rank").cast(pl.UInt32).alias("counted"), possible=gain.cum_sum()
    )
    users = relevant.group_by("userId").agg(number=pl.len()).sort("userId")
    users = users.with_columns(counted=pl.col("number").clip(upper_bound=TOP).cast(pl.UInt32))
    users = users.join(ideal, on="counted", how="left").join(found, on="userId", how="left", maintain_order="left")
    return users.select(
        "userId",
        ndcg=(pl.col("gained") / pl.col("possible")).fill_null(0.0),
        recall=(pl.col("hits") / pl.col("number")).fill_null(0.0),
    ).sort("userId")


def figures_of_lists(recommended: pl.DataFrame, popularity: Popularity) -> dict[str, float | None]:
    """Return the figures of all lists together: coverage, novelty and the share of the long tail.

    A share or mean of nothing is None.
    """
    import polars as pl

    known = recommended.join(popularity.movies, on="movieId", how="left")
    different = recommended["movieId"].n_unique()
    novelty, long_tail = known.select(pl.col("information").mean(), pl.col("is_tail").mean()).row(0)
    return {
        "coverage": different,
        "coverage_share": different / popularity.catalogue if popularity.catalogue else None,
        "novelty": novelty,
        "long_tail": long_tail,
    }
