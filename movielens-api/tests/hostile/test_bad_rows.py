"""Hostile servers whose rows break the contract, the same rows in every format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hostile_testing import BAD, ROWS, Hostile, Row, by_offset
from requests import Response

from movielens_api.formats import FORMATS
from movielens_api.table.ratings_table import SCHEMA

NDJSON, CSV, ARROW, PARQUET = FORMATS
READ: dict[str, Callable[[bytes], list[Row]]] = {
    "application/json": lambda body: json.loads(body)["result"],
    NDJSON: lambda body: [json.loads(line) for line in body.splitlines()],
    CSV: lambda body: pl.read_csv(BytesIO(body)).to_dicts(),
    ARROW: lambda body: pl.read_ipc_stream(BytesIO(body)).to_dicts(),
    PARQUET: lambda body: pl.read_parquet(BytesIO(body)).to_dicts(),
}


def rows(response: Response) -> list[Row]:
    assert response.status_code == 200
    assert "etag" not in response.headers
    return READ[response.headers["content-type"]](response.content)


def spoilt(**wrong: Any) -> list[Row]:
    return [row | wrong if row in BAD else row for row in ROWS]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("duplicate-rows", [*ROWS[:2], ROWS[1], *ROWS[3:]]),
        ("rows-out-of-order", [ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]]),
        ("null-values", spoilt(userId=None)),
        ("off-step-ratings", spoilt(rating=pytest.approx(3.7))),
    ],
)
def test_wrong_rows(hostile: Hostile, name: str, expected: list[Row]) -> None:
    server = hostile(name)
    for accept in READ:
        assert rows(server.ask("/ratings?limit=60", accept=accept)) == expected, accept
        assert rows(server.ask("/ratings?limit=0", accept=accept)) == [], accept


def test_nan_ratings(hostile: Hostile) -> None:
    server = hostile("nan-ratings")
    for accept in READ:
        found = rows(server.ask("/ratings?limit=60", accept=accept))
        assert any(math.isnan(row["rating"]) for row in found), accept
        assert [row["movieId"] % 10 == 0 for row in found] == [math.isnan(row["rating"]) for row in found], accept


def test_text_numbers(hostile: Hostile) -> None:
    server = hostile("text-numbers")
    for accept in ("application/json", NDJSON):
        found = rows(server.ask("/ratings?limit=60", accept=accept))
        assert found == [{name: str(value) for name, value in row.items()} if row in BAD else row for row in ROWS]
    found = rows(server.ask("/ratings?limit=60", accept=ARROW))
    assert all(isinstance(value, str) for row in found for value in row.values())
    assert [int(row["userId"]) for row in found] == [row["userId"] for row in ROWS]


def test_other_columns_keep_their_type(hostile: Hostile) -> None:
    response = hostile("null-values").ask("/ratings?limit=60", accept=ARROW)
    assert pl.read_ipc_stream(BytesIO(response.content)).schema == SCHEMA


def test_the_same_rows_are_wrong_on_every_page(hostile: Hostile) -> None:
    server = hostile("null-values")
    for limit in (1, 7, 60):
        assert by_offset(server, limit) == spoilt(userId=None)
    assert server.json("/ratings", limit=3)["total"] == 60
