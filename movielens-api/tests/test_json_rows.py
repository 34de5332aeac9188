"""Rows written by column equal those that polars writes value by value, byte for byte."""

from __future__ import annotations

import json
import math
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from movielens_api.json_rows import MIN_ROWS, ROWS_PER_PASS, json_array, json_lines
from movielens_api.table.ratings_table import SCHEMA
from movielens_api.table.sorted_run import DTYPES

LATEST = 253_402_300_799
LARGEST_ID = 2**31 - 1
every_order = pytest.mark.parametrize("names", [list(DTYPES), list(SCHEMA)], ids=["json", "ndjson"])


def numbers(random: np.random.Generator, most: int, rows: int) -> np.ndarray:
    """Return random numbers up to the largest. All numbers of digits are equally frequent."""
    logarithms = random.uniform(0, math.log(most), rows)
    return np.clip(np.exp(logarithms).astype("i8") - random.integers(0, 2, rows), 0, most)


def ratings(seed: int, rows: int, most_movie: int = LARGEST_ID, latest: int = LATEST) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    columns = {
        "userId": numbers(random, LARGEST_ID, rows),
        "movieId": numbers(random, most_movie, rows),
        "rating": random.integers(0, 11, rows) / 2,
        "timestamp": numbers(random, latest, rows),
    }
    return pl.DataFrame(columns).cast(dict(SCHEMA))


def by_polars(rows: pl.DataFrame) -> bytes:
    written = BytesIO()
    rows.write_json(written)
    return written.getvalue()


@every_order
@pytest.mark.parametrize("rows", [0, 1, 2, MIN_ROWS - 1, MIN_ROWS, ROWS_PER_PASS, ROWS_PER_PASS + 1, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_any_ratings_are_written_like_by_polars(rows: int, seed: int, names: list[str]) -> None:
    frame = ratings(seed, rows).select(names)
    assert json_array(frame) == by_polars(frame)
    assert json.loads(bytes(json_array(frame))) == frame.to_dicts()


@every_order
@pytest.mark.parametrize("digits", range(1, 11))
def test_ids_and_times_of_every_length(digits: int, names: list[str]) -> None:
    largest = min(10**digits - 1, LARGEST_ID)
    frame = ratings(digits, MIN_ROWS, most_movie=largest, latest=10**digits).select(names)
    assert json_array(frame) == by_polars(frame)


@every_order
def test_the_extremes_next_to_each_other(names: list[str]) -> None:
    shortest = {"userId": 0, "movieId": 0, "rating": 0.0, "timestamp": 0}
    longest = {"userId": LARGEST_ID, "movieId": LARGEST_ID, "rating": 5.0, "timestamp": LATEST}
    frame = pl.DataFrame([shortest, longest, longest, shortest] * MIN_ROWS, schema=SCHEMA).select(names)
    assert json_array(frame) == by_polars(frame)


def test_a_slice_and_a_frame_in_pieces() -> None:
    frame = ratings(seed=1, rows=3 * MIN_ROWS).select(list(DTYPES))
    part = frame.slice(MIN_ROWS // 2, 2 * MIN_ROWS)
    assert json_array(part) == by_polars(part)
    pieces = pl.concat([part, frame], rechunk=False)
    assert pieces.n_chunks() == 2
    assert json_array(pieces) == by_polars(pieces)


@pytest.mark.parametrize("rows", [0, 1, MIN_ROWS, ROWS_PER_PASS + 1])
@pytest.mark.parametrize("before", [b"", b"[", b'{"result":'])
@pytest.mark.parametrize("after", [b"", b"]", b',"total":12}'])
def test_text_around_the_array(rows: int, before: bytes, after: bytes) -> None:
    frame = ratings(seed=2, rows=rows).select(list(DTYPES))
    assert json_array(frame, before=before, after=after) == before + by_polars(frame) + after


@pytest.mark.parametrize("rows", [0, 1, 2, MIN_ROWS - 1, MIN_ROWS, 2 * ROWS_PER_PASS + 1])
def test_lines_are_those_of_polars(rows: int) -> None:
    frame = ratings(seed=3, rows=rows).select(list(SCHEMA))
    written = BytesIO()
    frame.write_ndjson(written)
    assert json_lines(frame) == written.getvalue()


@pytest.mark.parametrize("damage", [
    {"rating": 4.1}, {"rating": 5.5}, {"rating": -0.5}, {"rating": math.inf}, {"rating": math.nan}, {"rating": None},
    {"userId": None}, {"userId": -1}, {"movieId": -(2**31)}, {"timestamp": -1}, {"timestamp": None},
    {"timestamp": 2**63 - 1}], ids=str)  # fmt: skip
def test_values_that_are_not_ratings_are_written_unchanged(damage: dict[str, object]) -> None:
    row = {"userId": 1, "movieId": 2, "rating": 3.0, "timestamp": 4}
    frame = pl.DataFrame([row] * MIN_ROWS + [row | damage], schema=SCHEMA).select(list(DTYPES))
    assert json_array(frame) == by_polars(frame)
