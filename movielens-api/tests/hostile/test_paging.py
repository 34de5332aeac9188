"""Hostile servers that send other pages than those requested: a naive client gets wrong ratings."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hostile_testing import ROWS, Hostile, by_cursor, by_offset

from movielens_api.formats import FORMATS
from movielens_api.hostile import paging

NDJSON = next(iter(FORMATS))


def test_basic_knows_only_the_first_paragraph(hostile: Hostile) -> None:
    server = hostile("basic")
    response = server.ask("/ratings?limit=2", accept=NDJSON, accept_encoding="gzip", if_none_match="*")
    assert response.json() == {"result": ROWS[:2], "offset": 0, "limit": 2, "total": 60}
    assert {name.lower() for name in response.headers} == {"date", "content-type", "content-length"}
    assert by_offset(server) == ROWS
    assert server.get("/ratings", limit=-1).status_code == 422
    assert server.get("/movies").status_code == 404
    assert server.post([]).status_code == 405
    assert server.get("/healthz").status_code == 200
    server.auth = None
    assert "WWW-Authenticate" in server.get("/ratings").headers


def test_clamped_limit(hostile: Hostile) -> None:
    assert paging.FEW == 50
    server = hostile("clamped-limit")
    response = server.get("/ratings", limit=1000)
    assert response.json() == {"result": ROWS[:50], "offset": 0, "limit": 50, "total": 60}
    assert server.json("/ratings", limit=50, offset=5)["result"] == ROWS[5:55]
    assert server.get("/ratings", limit=-1).status_code == 422
    clamped = hostile(profile=partial(paging.ClampedLimit, max_limit=3))
    assert by_offset(clamped, limit=7) == [row for place, row in enumerate(ROWS) if place % 7 < 3]
    assert by_cursor(clamped, limit=7) == ROWS


def test_rows_out_of_window(hostile: Hostile) -> None:
    server = hostile("rows-out-of-window")
    assert by_offset(server, end_date="2020-01-02") == ROWS[:40]
    assert by_offset(server, start_date="2020-01-02", end_date="2020-01-02") == ROWS[20:40]
    assert by_offset(server) == ROWS
    assert server.get("/ratings", end_date="tomorrow").status_code == 422


@pytest.mark.parametrize(("name", "said"), [("missing-total", None), ("total-too-large", 120), ("total-too-small", 30)])
def test_totals(hostile: Hostile, name: str, said: int | None) -> None:
    server = hostile(name)
    response = server.get("/ratings", limit=4)
    assert response.json() == {"result": ROWS[:4], "offset": 0, "limit": 4} | ({"total": said} if said else {})
    lines = server.ask("/ratings", accept=NDJSON)
    assert len(lines.text.splitlines()) == 60
    for each in (response, lines):
        assert each.headers.get("x-total-count") == (str(said) if said else None)
    assert by_cursor(server) == ROWS


@pytest.mark.parametrize(("name", "second"), [("repeated-page", ROWS[:7]), ("empty-page", [])])
def test_a_wrong_page_in_every_other_pull(hostile: Hostile, name: str, second: list[object]) -> None:
    server = hostile(name)
    for pull in (by_offset, by_cursor):
        assert pull(server) == ROWS[:7] + second + ROWS[14:]
        assert pull(server) == ROWS
    # In other formats, too.
    first = server.ask("/ratings?limit=7", accept=NDJSON)
    then = server.ask("/ratings" + first.links["next"]["url"], accept=NDJSON)
    assert [json.loads(line) for line in then.text.splitlines()] == second
    assert len(first.text.splitlines()) == 7
    assert "next" in then.links


@pytest.mark.parametrize(
    ("name", "second", "total"),
    [("inserts", ROWS[6], 63), ("deletes", ROWS[8], 57), ("inserts-and-deletes", ROWS[8], 60)],
)
def test_ratings_change_in_every_other_pull(hostile: Hostile, name: str, second: object, total: int) -> None:
    server = hostile(name)
    pages = [server.json("/ratings", limit=7, offset=offset) for offset in (0, 7)]
    assert [page["total"] for page in pages] == [60, total]
    assert [page["result"][0] for page in pages] == [ROWS[0], second]
    assert by_offset(server) == ROWS
    assert by_offset(server) != ROWS
    assert [by_cursor(server) for _ in range(3)] == [ROWS] * 3
    # A day of its own changes as well.
    day = {"start_date": "2020-01-02", "end_date": "2020-01-03"}
    assert by_offset(server, **day) != ROWS[20:40]
    assert by_offset(server, **day) == ROWS[20:40]


def test_profiles_combine_in_any_order(hostile: Hostile) -> None:
    for names in (["basic", "clamped-limit", "missing-total"], ["missing-total", "clamped-limit", "basic"]):
        response = hostile(*names).ask("/ratings?limit=60", accept=NDJSON)
        assert response.json() == {"result": ROWS[:50], "offset": 0, "limit": 50}
        assert "link" not in response.headers
