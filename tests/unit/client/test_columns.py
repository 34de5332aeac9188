"""Rows as lists of values are what they are as a dataframe."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from airflow_movielens.client.columns import Columns, Gathered
from airflow_movielens.ratings.schema import MOVIES, RATINGS
from airflow_movielens.ratings.validation import is_rising

few = st.integers(1, 3)
ratings = st.lists(st.tuples(few, few, st.sampled_from([0.5, 4.0]), few), max_size=4)


def columns_of(rows, table=RATINGS):
    return Columns(table, [list(column) for column in zip(*rows, strict=True)] or [[] for _ in table.columns])


def frame_of(rows, table=RATINGS):
    return pl.DataFrame(rows, schema=table.polars_schema(), orient="row")


@given(ratings)
def test_they_have_the_values_and_the_order_of_a_dataframe(rows):
    columns, frame = columns_of(rows), frame_of(rows)
    assert_frame_equal(columns.frame(), frame)
    assert len(columns) == len(frame)
    assert columns.is_rising() == is_rising(frame, RATINGS.key)
    if rows:
        assert [columns.row(place) for place in (0, -1)] == [frame.row(place) for place in (0, -1)]
        assert_frame_equal(columns.slice(1).frame(), frame.slice(1))


def test_text_and_missing_values_are_kept():
    rows = [(1, "Zorro é", None, ""), (2, "", 1995, "Drama")]
    assert columns_of(rows, MOVIES).frame().rows() == rows


@pytest.mark.parametrize("large", [0, 4_000, 12_000])
def test_pieces_are_gathered_in_their_order(large):
    sizes = [1, 0, 4_999, 3, large, 2, 6_000, 1]
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    pieces = [[(row, 1, 0.5, row) for row in range(end - size, end)] for size, end in zip(sizes, ends, strict=True)]
    gathered = Gathered()
    for number, piece in enumerate(pieces):
        gathered.add(frame_of(piece) if number == 4 else columns_of(piece))
    assert gathered.height == ends[-1]
    frames = gathered.frames()
    assert_frame_equal(pl.concat(frames), frame_of([row for piece in pieces for row in piece]))
    assert all(len(frame) for frame in frames)
    assert len(frames) <= 5
