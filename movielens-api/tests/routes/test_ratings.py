"""Windows, totals and pages of the real sample, against a model that scans every row."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from api_testing import Api, Model, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.table.catalogue import Catalogue

Days = tuple[str | None, str | None]
WINDOWS: list[Days] = [
    (None, None),
    ("2015-01-01", "2015-01-02"),
    ("2000-11-20", "2000-11-21"),
    ("2000-01-01", "2001-01-01"),
    ("2016-10-16", None),
    (None, "1996-03-01"),
    ("1995-01-09", "1995-01-10"),
    ("1995-01-10", "1996-01-29"),
    ("2015-01-01", "2015-01-01"),
    ("0001-01-01", "0001-01-02"),
    ("1960-01-01", "9999-12-31"),
    ("2030-01-01", None),
    (None, "1970-01-01"),
    ("2016-02-29", "2016-03-01"),
]


def query(start: str | None, end: str | None, **others: int) -> dict[str, Any]:
    return {k: v for k, v in {"start_date": start, "end_date": end, **others}.items() if v is not None}


@pytest.mark.parametrize("days", WINDOWS)
@pytest.mark.parametrize("part", [(0, 0), (0, 1), (1, 7), (3, 10_000), (99_999, 100), (2**63 - 1, 100)])
def test_a_page_is_that_slice_of_the_window(api: Api, model: Model, days: Days, part: tuple[int, int]) -> None:
    (start, end), (offset, limit) = days, part
    window = model.window(start, end)
    response = api.json("/ratings", **query(start, end, offset=offset, limit=limit))
    assert response == {
        "result": window[offset : offset + limit],
        "offset": offset,
        "limit": limit,
        "total": len(window),
    }


def test_defaults_are_the_first_hundred_of_everything(api: Api, model: Model) -> None:
    response = api.json("/ratings")
    assert response == {"result": model.rows[:100], "offset": 0, "limit": 100, "total": 100_004}


@pytest.mark.parametrize(("days", "limit"), [(("2000-11-01", "2000-12-01"), 97), ((None, None), 10_000)])
def test_pages_together_are_the_window_with_no_row_lost_or_doubled(
    api: Api, model: Model, days: Days, limit: int
) -> None:
    window = model.window(*days)
    paged: list[object] = []
    while page := api.json("/ratings", **query(*days, offset=len(paged), limit=limit))["result"]:
        paged += page
    assert paged == window


def test_consecutive_days_share_and_lose_nothing(api: Api, model: Model) -> None:
    days = [f"2016-08-{number:02}" for number in range(1, 32)]
    responses = [api.json("/ratings", start_date=a, end_date=b, limit=10_000) for a, b in pairwise(days)]
    assert [row for response in responses for row in response["result"]] == model.window(days[0], days[-1])


def test_some_window_above_is_an_empty_day_between_full_ones(model: Model) -> None:
    assert not model.window("1995-01-10", "1996-01-29")
    assert model.window("1995-01-09", "1995-01-10")


def test_midnight_utc_belongs_to_the_day_it_begins(serving: Serving, small: Catalogue) -> None:
    midnight = int(datetime(2015, 3, 8, tzinfo=UTC).timestamp())
    times = [midnight - 1, midnight, midnight + 86_399, midnight + 86_400]
    ratings = pl.DataFrame({"userId": 1, "movieId": 7, "rating": 0.5, "timestamp": times})
    with serving(create_app(Catalogue("edges", ratings, small.movies), DEFAULT)) as edges:
        rows = edges.json("/ratings", start_date="2015-03-08", end_date="2015-03-09")["result"]
    assert [row["timestamp"] for row in rows] == times[1:3]


def test_ratings_print_as_people_write_them(api: Api) -> None:
    text = api.get("/ratings", start_date="2016-10-01").text
    assert '"rating":3.5,' in text
    assert '"rating":4.0,' in text


def test_equal_times_are_ordered_by_user_then_movie(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        rows = server.json("/ratings")["result"]
    assert [(row["timestamp"], row["userId"], row["movieId"]) for row in rows] == [(5, 1, 8), (9, 1, 7), (9, 2, 7)]
