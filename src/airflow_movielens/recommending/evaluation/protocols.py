"""Which users are evaluated at a cut, what is known of them, and what they like later.

Known are all ratings before a moment, relevant the movies of the catalogue that the user likes later. A recommender is
given the known ratings only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import checked_ratings, collected
from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.recommending.histories import latest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

NO_RATINGS = "there are no ratings to evaluate a model on"
WINDOW_DAYS = 28
WINDOW_SECONDS = WINDOW_DAYS * 86_400
# New users have at least so many likes, and so many more than are known.
_LIKES, _LATER_LIKES = 15, 5
# The windows after a cut: about a year.
WINDOWS = 13
# More users make the intervals hardly narrower.
MOST_USERS = 10_000
# Which users are sampled: those with the lowest products, cut to 32 bits. A sample of a sample is the same one.
SAMPLING = (2_654_435_761, 2**32 - 1)
_MOST_NEW_USERS = 5_000


@dataclass(frozen=True, eq=False)
class Cut:
    """A moment, and the ratings on both of its sides.

    Attributes:
        second: The moment, in Unix seconds.
        ratings: All ratings.
        before: The ratings before the moment, the latest of each user and movie.

    Ratings are dataframes of Polars, or of PySpark in an evaluation by Spark.
    """

    second: int
    ratings: Any
    before: Any

    @classmethod
    def of(cls, ratings: pl.DataFrame, second: int) -> Cut:
        """Cut ratings.

        Raises:
            ValueError: No rating is before the cut.
        """
        import polars as pl

        before = latest_of(ratings.filter(pl.col("timestamp") < second))
        if before.is_empty():
            raise ValueError(nothing_before(second))
        return cls(second, ratings, before)


def nothing_before(cut: int) -> str:
    """Return what is said of a cut without ratings before it."""
    return f"no rating is before the cut {cut}: give a later one"


@dataclass(frozen=True, eq=False)
class Protocol:
    """What is known of some users, and what they like later.

    Attributes:
        known: The ratings known of them, the latest of each user and movie.
        relevant: userId and movieId of the movies that they like later, at least one for each user.
    """

    known: pl.DataFrame
    relevant: pl.DataFrame

    @property
    def users(self) -> pl.Series:
        """The users, ascending."""
        return self.relevant["userId"].unique().sort()

    def of_users(self, users: pl.Series) -> Protocol:
        """Return what is known, and liked later, of some of the users."""
        import polars as pl

        is_one = pl.col("userId").is_in(users.implode())
        return Protocol(self.known.filter(is_one), self.relevant.filter(is_one))


def all_ratings(ratings: Any) -> pl.DataFrame:
    """Return all ratings of a dataframe of any kind, checked.

    Raises:
        TypeError: It is no such dataframe.
        ValueError: A column is missing, or a value is missing or wrong.
    """
    return collected(checked_ratings(ratings)).cast(RATINGS.polars_schema())


def default_cuts(ratings: Any) -> list[int]:
    """Return three cuts: when two, three and four fifths of all users had rated, but at most 5,000 new users apart.

    Args:
        ratings: All ratings, of Polars or PySpark.

    Raises:
        ValueError: The ratings have too few users.
    """
    import narwhals as nw

    users = nw.from_native(ratings).lazy().group_by("userId").agg(nw.col("timestamp").min())
    first = collected(users.select("timestamp"))["timestamp"].sort()
    number = min(len(first) // 5, _MOST_NEW_USERS)
    cuts = sorted({int(first[len(first) - number * part]) for part in (1, 2, 3)}) if number else []
    if not cuts or cuts[0] == first[0]:
        raise ValueError(f"the first ratings of {len(first)} users are too few or too close in time: give the cuts")
    return cuts


def fewest_likes(known_likes: int) -> int:
    """Return how many likes a new user needs to be evaluated with so many known likes."""
    return max(_LIKES, known_likes + _LATER_LIKES)


def new_users(cut: Cut, catalogue: pl.Series, known_likes: int) -> Protocol:
    """Return the users who rate for the first time at or after a cut, with their ratings up to and with the H-th like.

    Only users with at least max(15, H + 5) likes of movies of the catalogue are evaluated.

    Args:
        cut: The cut.
        catalogue: The movies whose likes count.
        known_likes: H.
    """
    import polars as pl

    first = pl.col("timestamp").min().over("userId")
    rows = latest_of(cut.ratings.filter(first >= cut.second))
    is_like = (pl.col("rating") >= LIKE) & pl.col("movieId").is_in(catalogue.implode())
    rows = rows.with_columns(is_like=is_like).with_columns(
        likes=pl.col("is_like").sum().over("userId"),
        earlier_likes=pl.col("is_like").cum_sum().over("userId") - pl.col("is_like"),
    )
    rows = _sampled(rows.filter(pl.col("likes") >= fewest_likes(known_likes)))
    is_known = pl.col("earlier_likes") < known_likes
    return Protocol(
        rows.filter(is_known).select(RATINGS.column_names),
        rows.filter(~is_known, pl.col("is_like")).select("userId", "movieId"),
    )


def existing_users(cut: Cut, catalogue: pl.Series) -> Iterator[tuple[int, Protocol]]:
    """Yield the starts of the windows of 28 days from a cut on, and the users who have rated before each.

    Known are all ratings before the window, relevant the movies of the catalogue that are first rated, and liked, in
    it. There are 13 windows, or fewer if the ratings end earlier; those without users are left out.

    Args:
        cut: The cut.
        catalogue: The movies whose likes count.
    """
    import polars as pl

    (last,) = cut.ratings.select(pl.col("timestamp").max()).row(0)
    for start in range(cut.second, min(cut.second + WINDOWS * WINDOW_SECONDS, last + 1), WINDOW_SECONDS):
        is_inside = pl.col("timestamp").is_between(start, start + WINDOW_SECONDS, closed="left")
        inside = latest_of(cut.ratings.filter(is_inside))
        is_like = (pl.col("rating") >= LIKE) & pl.col("movieId").is_in(catalogue.implode())
        known = cut.ratings.filter(pl.col("timestamp") < start).join(inside, on="userId", how="semi")
        liked = inside.filter(is_like).join(known, on=["userId", "movieId"], how="anti")
        relevant = _sampled(liked.join(known, on="userId", how="semi").select("userId", "movieId"))
        if len(relevant):
            yield start, Protocol(latest_of(known.join(relevant, on="userId", how="semi")), relevant)


def _sampled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of at most 10,000 users, always the same."""
    import polars as pl

    users = rows.select("userId").unique()
    if len(users) <= MOST_USERS:
        return rows
    factor, mask = SAMPLING
    place = pl.col("userId").cast(pl.Int64) * factor & pl.lit(mask, pl.Int64)
    return rows.join(users.bottom_k(MOST_USERS, by=place), on="userId", how="semi", maintain_order="left")
