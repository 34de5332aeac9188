"""The memory of a query's process, with files that need more than it may have, and with one that must not be refused."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import polars as pl
import pytest

from airflow_movielens.plugin.queries.runner import QueryError, QueryMemoryError, QueryRunner
from airflow_movielens.recommending import Model
from airflow_movielens.recommending.artefacts import save_model
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.model import TrainingData
from airflow_movielens.recommending.parameters import ModelParameters

MB = 2**20
MEMORY = 400 * MB
ROWS = 10_000_000

pytestmark = pytest.mark.slow
only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")


@pytest.fixture
def run():
    """Run a query with little memory."""
    return QueryRunner(memory=MEMORY).run


def small_parquet_file(path):
    """Write a ranking of 100 kB whose rows need 320 MB."""
    ones = pl.select(rank=pl.repeat(1, ROWS, dtype=pl.Int64))
    ones.with_columns(movieId="rank", score="rank", num_ratings="rank").write_parquet(path, row_group_size=ROWS)
    assert path.stat().st_size < MB


def small_gzip_file(path):
    """Write a JSON array of 1 MB that is 512 MB of blanks when it is decompressed."""
    path.write_bytes(gzip.compress(b"[" + b" " * (64 * MB), compresslevel=9) * 8)
    assert path.stat().st_size < MB


def sparse_file(path):
    """Write a JSON array of 600 MB, which takes no space on the disk."""
    with path.open("wb") as file:
        file.write(b"[{}")
        file.truncate(600 * MB)


@only_on_linux
@pytest.mark.parametrize(
    ("name", "write"),
    [("a.parquet", small_parquet_file), ("a.json.gz", small_gzip_file), ("a.json", sparse_file)],
)
def test_a_ranking_that_needs_more_memory_is_an_error_that_says_so(run, tmp_path, caplog, name, write):
    write(tmp_path / name)
    with pytest.raises(
        QueryMemoryError, match=r"^This needs more than 0\.39 GB of memory, .* Clear the task"
    ) as raised:
        run("rankings.table", {}, [str(tmp_path / name)])
    assert f"A file is damaged, or far too large: {tmp_path / name}." in str(raised.value)
    assert "rankings.table ended with status" in caplog.text


def test_the_matrix_of_a_model_is_mapped_and_does_not_count(run, tmp_path):
    movies = np.arange(10_500, dtype=np.int32)
    catalogue = Catalogue(movies, movies.astype(np.float32), np.empty(0, np.int32), np.empty(0, np.float32))
    trained_on = TrainingData(1, 1, 0, 0, [0] * 9 + [1], "0" * 64)
    matrix = np.zeros((len(movies), len(movies)), np.float32)
    matrix[7, 9] = 1
    save_model(Model(ModelParameters(), catalogue, matrix, trained_on), tmp_path / "model")
    assert (tmp_path / "model").stat().st_size > MEMORY
    assert run("recommendations.similar", {"movie_id": 9, "n": 1}, [str(tmp_path / "model")])["rows"]


def test_an_answer_that_is_too_long_is_an_error(run, tmp_path):
    ranking = pl.DataFrame({"rank": [1], "movieId": [7], "score": [1.0], "num_ratings": [1], "title": ["x" * 17 * MB]})
    ranking.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(QueryError, match=r"it would need 17,825,\d+ bytes, but a page may have 16,777,216 of a file"):
        run("rankings.table", {}, [str(tmp_path / "a.parquet")])
    assert len(run("rankings.course", {"movie_id": 8}, [str(tmp_path / "a.parquet")])) == 1
