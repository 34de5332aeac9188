"""Faults are deterministic: the same requests meet the same faults."""

from __future__ import annotations

import pytest

from movielens_api.hostile.profile import Pulls, Turns


def asked(query: str) -> dict[str, object]:
    return {"query_string": query.encode()}


def test_turns_are_counted_by_address() -> None:
    turns = Turns(3)
    order = ["limit=1", "limit=1&offset=1", "limit=1", "offset=1&limit=1", "limit=1", "limit=1"]
    assert [turns.take(asked(query)) for query in order] == [0, 0, 1, 1, 2, 0]


def test_a_stream_is_one_address_wherever_it_begins() -> None:
    turns = Turns(2)
    assert [turns.take(asked(query)) for query in ("cursor=a&offset=5", "cursor=a&offset=9", "cursor=b")] == [0, 1, 0]


@pytest.mark.parametrize(
    ("queries", "pages"),
    [
        (["limit=5", "limit=5&offset=5", "limit=5&offset=0", "limit=5&offset=5", "limit=5"], [0, 1, None, None, 0]),
        (["limit=5", "cursor=a", "cursor=b", "cursor=a", "limit=5", "cursor=a"], [0, 1, 2, 1, None, None]),
        # Asked for again at once, a first page is the same; another window is another pull.
        (["limit=5", "limit=5", "offset=5&limit=5", "limit=5", "limit=5"], [0, 0, 1, None, None]),
        (["", "end_date=2020-01-01", "limit=5"], [0, None, 0]),
        (["", "offset=100", "offset=200"], [0, 1, 2]),
        # A count is no page.
        (["limit=0", "limit=5", "limit=0", "limit=5&offset=5"], [None, 0, None, 1]),
    ],
)
def test_pages_of_every_other_pull(queries: list[str], pages: list[int | None]) -> None:
    pulls = Pulls()
    assert [pulls.take(asked(query)) for query in queries] == pages
