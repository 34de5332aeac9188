"""Hostile servers with a few ratings: twenty on each of three days, by users 1 to 20, of movies 1 to 20."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from api_testing import Api
from starlette.types import ASGIApp

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.hostile import wrap
from movielens_api.table.catalogue import Catalogue

Row = dict[str, Any]
Hostile = Callable[..., Api]
FIRST_DAY = 18_262  # 2020-01-01
NUMBERS = range(1, 21)
ROWS: list[Row] = [
    {"userId": number, "movieId": number, "rating": (number % 10 + 1) / 2, "timestamp": day * 86_400 + number * 60}
    for day in range(FIRST_DAY, FIRST_DAY + 3)
    for number in NUMBERS
]
BAD = [row for row in ROWS if row["movieId"] % 10 == 0]
MOVIES = pl.DataFrame({"movieId": NUMBERS, "title": "A", "year": 1995, "genres": "Drama"})


def hostile_app(*names: str, profile: Callable[[ASGIApp], ASGIApp] | None = None) -> ASGIApp:
    """Return the application with profiles around it, by name or built by the test."""

    def build(ratings: pl.DataFrame) -> ASGIApp:
        return create_app(Catalogue("days", ratings, MOVIES), DEFAULT)

    catalogue = Catalogue("days", pl.DataFrame(ROWS), MOVIES)
    app: ASGIApp = create_app(catalogue, DEFAULT)
    app = profile(app) if profile else app
    return wrap(app, names, lambda change: build(change(catalogue.ratings.window())))


def by_offset(api: Api, limit: int = 7, **parameters: str) -> list[Row]:
    """Return the rows that a client gets if it pages by offset and checks only `total`."""
    found: list[Row] = []
    offset, total = 0, 1
    while offset < total:
        page = api.json("/ratings", offset=offset, limit=limit, **parameters)
        found += page["result"]
        offset, total = offset + limit, page["total"]
    return found


def by_cursor(api: Api, limit: int = 7) -> list[Row]:
    return [row for response in api.pages(f"/ratings?limit={limit}") for row in response.json()["result"]]
