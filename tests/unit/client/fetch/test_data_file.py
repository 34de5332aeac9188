"""The data file, which is written while parts arrive."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from airflow_movielens.client.fetch.data_file import DataFile
from airflow_movielens.ratings.schema import RATINGS


def part(*stars):
    values = {"userId": 1, "movieId": 2, "rating": list(stars), "timestamp": range(len(stars))}
    return pl.DataFrame(values, schema=RATINGS.polars_schema())


def writers():
    return [thread for thread in threading.enumerate() if thread.name == "movielens"]


@pytest.mark.parametrize("name", ["r.parquet", "r.csv", "r.csv.gz", "r.csv.zst", "r.ndjson", "r.ndjson.gz", "r.json"])
@pytest.mark.parametrize("parts", [[], [part(5.0)], [part(0.5, 5.0), part(), part(3.0, 5.0, 3.5)]])
def test_equal_rows_give_equal_bytes_in_any_parts(tmp_path, name, parts):
    whole, grown = DataFile(tmp_path / f"whole-{name}"), DataFile(tmp_path / f"grown-{name}")
    whole.add(pl.concat([RATINGS.empty(), *parts]).lazy())
    for rows in parts:
        grown.add(rows.lazy())
    histogram = whole.finish()
    assert grown.finish() == histogram
    assert sum(histogram) == sum(map(len, parts))
    assert grown.path.read_bytes() == whole.path.read_bytes()


def test_the_histogram_counts_half_stars(tmp_path):
    with DataFile(tmp_path / "r.parquet") as data:
        data.add(part(0.5, 5.0).lazy())
        data.add(part(3.0, 5.0).lazy())
        assert data.finish() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_a_discarded_file_begins_anew(tmp_path):
    data = DataFile(tmp_path / "r.csv")
    data.add(part(1.0).lazy())
    data.discard()
    assert not data.path.exists()
    data.add(part(5.0).lazy())
    assert data.finish()[-1] == 1
    assert data.path.read_text() == "userId,movieId,rating,timestamp\n1,2,5.0,0\n"


def test_after_an_error_nothing_is_left(tmp_path):
    before = writers()
    data = DataFile(tmp_path / "r.parquet")
    with pytest.raises(KeyboardInterrupt), data:
        data.add(part(1.0).lazy())
        raise KeyboardInterrupt
    data.add(part(2.0).lazy())  # from the thread that was storing it
    assert writers() == before
    assert not data.path.exists()


def test_a_file_that_cannot_be_written_is_an_error_of_its_end(tmp_path):
    data = DataFile(tmp_path / "missing" / "r.parquet")
    with pytest.raises(OSError, match="No such file"), data:
        data.add(part(1.0).lazy())
        data.finish()
