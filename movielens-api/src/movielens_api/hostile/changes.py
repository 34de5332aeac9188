"""Profiles whose ratings change while a client pages by offset. Cursors still lead through one state.

In every other pull, the pages after the first are taken from changed ratings. Then everything is as before. Each day
with ratings changes, so each window does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import polars as pl

from movielens_api.hostile.middleware import Profile, Variant, query
from movielens_api.hostile.turns import Pulls
from movielens_api.system.days import SECONDS_PER_DAY
from movielens_api.table.ratings_table import SCHEMA

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

DAY = pl.col("timestamp") // SECONDS_PER_DAY
MOVIE = 1
RATING = 3.0


class Changing(Profile):
    """A layer with two applications.

    Args:
        app: Serves the ratings as they are.
        changed: Serves the changed ones.
    """

    def __init__(self, app: ASGIApp, changed: ASGIApp) -> None:
        super().__init__(app)
        self._changed = changed
        self._pulls = Pulls()

    @classmethod
    def wrap(cls, app: ASGIApp, variant: Variant) -> Self:
        """Put the layer around both."""
        return cls(app, variant(cls.altered))

    @staticmethod
    def altered(ratings: pl.DataFrame) -> pl.DataFrame:
        """Return what becomes of ratings, which are in order."""
        return ratings

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on to the one or the other."""
        is_later = bool(self._pulls.take(scope)) and "cursor" not in query(scope)
        await (self._changed if is_later else self.app)(scope, receive, send)


class Inserts(Changing):
    """After the first page of every other pull, each day has an additional first rating."""

    @staticmethod
    def altered(ratings: pl.DataFrame) -> pl.DataFrame:
        """Add a rating at midnight."""
        return pl.concat([ratings, _additions(ratings, second=0)])


class Deletes(Changing):
    """After the first page of every other pull, each day has lost its first rating."""

    @staticmethod
    def altered(ratings: pl.DataFrame) -> pl.DataFrame:
        """Keep what has a rating before it on its day."""
        return ratings.filter(DAY.shift(1) == DAY)


class InsertsAndDeletes(Changing):
    """After the first page of every other pull, each day has lost its first rating and has an additional last one."""

    @staticmethod
    def altered(ratings: pl.DataFrame) -> pl.DataFrame:
        """Do both, so that totals stay."""
        return pl.concat([Deletes.altered(ratings), _additions(ratings, second=SECONDS_PER_DAY - 1)])


def _additions(ratings: pl.DataFrame, second: int) -> pl.DataFrame:
    """Return a rating by a new user for every day with ratings, at a second of the day."""
    user = pl.lit((ratings["userId"].max() or 0) + 1).alias("userId")  # type: ignore[operator]
    days = ratings.select(DAY).unique()
    return days.select(
        user.cast(SCHEMA["userId"]),
        pl.lit(MOVIE, SCHEMA["movieId"]).alias("movieId"),
        pl.lit(RATING, SCHEMA["rating"]).alias("rating"),
        pl.col("timestamp") * SECONDS_PER_DAY + second,
    ).select(ratings.columns)
