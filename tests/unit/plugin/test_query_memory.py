"""The memory of a query's process, with files that need more than it may have, and with one that must not be refused."""

from __future__ import annotations

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


@only_on_linux
def test_a_file_that_needs_more_memory_is_an_error_that_says_so(run, tmp_path, caplog):
    file = tmp_path / "a.parquet"
    ones = pl.select(userId=pl.repeat(1, ROWS, dtype=pl.Int64))
    ones.with_columns(rank="userId", movieId="userId", score="userId", reasons="userId").write_parquet(
        file, row_group_size=ROWS
    )
    assert file.stat().st_size < MB
    with pytest.raises(
        QueryMemoryError, match=r"^This needs more than 0\.39 GB of memory, .* Clear the task"
    ) as raised:
        run("recommendations.for_user", {"user_id": 1}, [str(file)])
    assert f"A file is damaged, or far too large: {file}." in str(raised.value)
    assert "recommendations.for_user ended with status" in caplog.text


def test_the_matrix_of_a_model_is_mapped_and_does_not_count(run, tmp_path):
    movies = np.arange(10_500, dtype=np.int32)
    catalogue = Catalogue(movies, movies.astype(np.float32), np.empty(0, np.int32), np.empty(0, np.float32))
    trained_on = TrainingData(1, 1, 0, 0, [0] * 9 + [1], "0" * 64)
    matrix = np.zeros((len(movies), len(movies)), np.float32)
    matrix[7, 9] = 1
    save_model(Model(ModelParameters(), catalogue, matrix, trained_on), tmp_path / "model")
    assert (tmp_path / "model").stat().st_size > MEMORY
    assert run("models.similar", {"movie_id": 9, "n": 1}, [str(tmp_path / "model")])["rows"]


def test_an_answer_that_is_too_long_is_an_error(run, tmp_path):
    ranking = pl.DataFrame({"rank": [1], "movieId": [7], "score": [1.0], "num_ratings": [1], "title": ["x" * 17 * MB]})
    ranking.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(QueryError, match=r"it would need 17,825,\d+ bytes, but a page may have 16,777,216 of a file"):
        run("rankings.table", {}, [str(tmp_path / "a.parquet")])
    assert len(run("courses.course", {"movie_id": 8}, [str(tmp_path / "a.parquet")])) == 1
