"""Profiles that send wrong pages, or whose ratings change while a client pages."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Self

import polars as pl

from movielens_api.hostile import bad_rows
from movielens_api.hostile.profile import BufferedResponse, Profile, Pulls, Variant, query, with_query
from movielens_api.http import problems
from movielens_api.http.pages import MEDIA_TYPE as JSON
from movielens_api.middleware.authentication import is_public
from movielens_api.system.days import SECONDS_PER_DAY
from movielens_api.table.ratings_table import SCHEMA

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

FEW = 50
_KEPT = frozenset({"content-type", "content-length", "www-authenticate", "allow", "retry-after"})
_DAY = pl.col("timestamp") // SECONDS_PER_DAY
# Of the ratings that are inserted.
_MOVIE, _RATING = 1, 3.0


class Basic(Profile):
    """Only GET /ratings with dates, offset and limit exists, in JSON: no snapshots, no links, no other format."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 404 or 405 to all other requests."""
        app: ASGIApp = super().__call__
        if scope["type"] == "http" and not is_public(scope["path"]):
            if scope["path"] != "/ratings":
                app = problems.respond(scope["path"], 404, problems.DETAILS[404])
            elif scope["method"] != "GET":
                app = problems.respond(scope["path"], 405, problems.DETAILS[405], headers={"Allow": "GET"})
        await app(scope, receive, send)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond in JSON, with the necessary headers only."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept"]
        response = await self.ask({**scope, "headers": headers})
        for name in response.headers:
            if name not in _KEPT:
                del response.headers[name]
        await response.send(send)


class ClampedLimit(Profile):
    """A limit above 50 is silently reduced to 50."""

    def __init__(self, app: ASGIApp, max_limit: int = FEW) -> None:
        super().__init__(app)
        self._max_limit = max_limit

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reduce the limit."""
        asked = query(scope)
        if asked.get("limit", "").isdecimal() and int(asked["limit"]) > self._max_limit:
            scope = with_query(scope, {**asked, "limit": str(self._max_limit)})
        await self.app(scope, receive, send)


class RowsOutOfWindow(Profile):
    """The end_date is treated as inclusive, so pages and total contain one day too many."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add a day to the window."""
        asked = query(scope)
        try:
            later = str(date.fromisoformat(asked.get("end_date", "")) + timedelta(days=1))
        except (ValueError, OverflowError):
            later = ""
        await self.app(with_query(scope, {**asked, "end_date": later}) if later else scope, receive, send)


class MissingTotal(Profile):
    """No response contains the number of rows, neither in total nor in X-Total-Count."""

    def change(self, response: BufferedResponse) -> None:
        """Remove the total."""
        _say(response, None)


class TotalTooLarge(Profile):
    """The total is twice the true one."""

    def change(self, response: BufferedResponse) -> None:
        """Double the total."""
        _say(response, 2 * int(response.headers["X-Total-Count"]))


class TotalTooSmall(Profile):
    """The total is half the true one."""

    def change(self, response: BufferedResponse) -> None:
        """Halve the total."""
        _say(response, int(response.headers["X-Total-Count"]) // 2)


class RepeatedPage(Profile):
    """In every other pull, the page after the first repeats the rows of the first."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._pulls = Pulls()
        self._first: bad_rows.Rows = []

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the rows of the first page, and send them as the second."""
        page = self._pulls.take(scope)
        response = await self.ask(scope)
        if page == 0 and response.status == 200:  # noqa: PLR2004 - OK
            self._first = bad_rows.read(response)
        elif page == 1 and response.status == 200:  # noqa: PLR2004 - OK
            bad_rows.replace(response, self._first)
        await response.send(send)


class EmptyPage(Profile):
    """In every other pull, the page after the first has no rows, although more rows follow."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._pulls = Pulls()

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Remove the rows of the second page."""
        page = self._pulls.take(scope)
        response = await self.ask(scope)
        if page == 1 and response.status == 200:  # noqa: PLR2004 - OK
            bad_rows.replace(response, [])
        await response.send(send)


def _say(response: BufferedResponse, total: int | None) -> None:
    # The entity tag was that of the real response.
    del response.headers["ETag"], response.headers["X-Total-Count"]
    if total is not None:
        response.headers["X-Total-Count"] = str(total)
    if response.headers["Content-Type"] == JSON:
        page = json.loads(response.body)
        del page["total"]
        response.body = json.dumps(page if total is None else {**page, "total": total}).encode()


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
        """Return the changed ratings. The given ones are in order."""
        return ratings

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to one of the applications."""
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
        """Keep ratings that are not the first of their day."""
        return ratings.filter(_DAY.shift(1) == _DAY)


class InsertsAndDeletes(Changing):
    """After the first page of every other pull, each day has lost its first rating and has an additional last one."""

    @staticmethod
    def altered(ratings: pl.DataFrame) -> pl.DataFrame:
        """Do both, so that totals stay the same."""
        return pl.concat([Deletes.altered(ratings), _additions(ratings, second=SECONDS_PER_DAY - 1)])


def _additions(ratings: pl.DataFrame, second: int) -> pl.DataFrame:
    """Return a rating by a new user for every day with ratings, at a second of the day."""
    user = pl.lit((ratings["userId"].max() or 0) + 1).alias("userId")  # type: ignore[operator]
    days = ratings.select(_DAY).unique()
    return days.select(
        user.cast(SCHEMA["userId"]),
        pl.lit(_MOVIE, SCHEMA["movieId"]).alias("movieId"),
        pl.lit(_RATING, SCHEMA["rating"]).alias("rating"),
        pl.col("timestamp") * SECONDS_PER_DAY + second,
    ).select(ratings.columns)
