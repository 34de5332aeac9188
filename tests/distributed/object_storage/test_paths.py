"""Every place that takes a path, on S3: the results are those of local files."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from unit import brute_force_model

from airflow_movielens.cli import main
from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensRankMoviesOperator,
    MovielensRecommendOperator,
    MovielensTrainOperator,
)
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue.catalogue import Catalogue
from airflow_movielens.storage.catalogue.rebuilding import rebuild

pytestmark = pytest.mark.usefixtures("movielens")

DAYS = ("2000-11-15", "2000-11-20", "2000-11-25")


def run(operator, **arguments):
    return operator(task_id="task", **arguments).execute({})


def fetch(path):
    for first, beyond in pairwise(DAYS):
        run(MovielensFetchRatingsOperator, output_path=f"{path}/{first}.parquet", start_date=first, end_date=beyond)


def check_same(bucket, folder, key):
    assert bucket.read(f"data/{key}") == (folder / key).read_bytes()


def test_a_pipeline_on_s3_gives_the_files_of_a_local_one(bucket, tmp_path):
    movies = "movieId,title\n1,Toy Story\n"
    bucket.write("data/movies.csv", movies.encode())
    (tmp_path / "movies.csv").write_text(movies)
    for root in (bucket.url("data"), str(tmp_path)):
        fetch(f"{root}/days")
        first = run(
            MovielensRankMoviesOperator,
            input_path=f"{root}/days/2000-11-15.parquet",
            output_path=f"{root}/first.csv",
            movies_path=f"{root}/movies.csv",
            method="bayesian",
        )
        run(
            MovielensRankMoviesOperator,
            input_path=f"{root}/days/*.parquet",
            output_path=f"{root}/both.csv",
            movies_path=f"{root}/movies.csv",
            compare_to=first,
            method="bayesian",
        )
    for key in ("days/2000-11-15.parquet", "days/2000-11-20.parquet", "first.csv", "both.csv"):
        check_same(bucket, tmp_path, key)
    head = bucket.client.head_object(Bucket=bucket.name, Key="data/both.csv")
    assert head["ContentType"] == "text/csv"
    ranking = pl.read_csv(tmp_path / "both.csv")
    assert "Toy Story" in ranking["title"]
    assert 0 < ranking["is_new"].sum() < len(ranking)


def test_models_are_trained_on_s3_and_recommend_to_it(bucket, tmp_path):
    ratings = brute_force_model.awkward_ratings()
    parameters = {"lambda_1": 5.0, "lambda_2": 5.0, "min_likes": 4}
    (tmp_path / "ratings").mkdir()
    for number, part in enumerate((ratings.head(100), ratings.slice(100))):
        part.write_parquet(tmp_path / f"ratings/part-{number}.parquet")
        bucket.write(f"data/ratings/part-{number}.parquet", (tmp_path / f"ratings/part-{number}.parquet").read_bytes())
    for root, registry in ((bucket.url("data"), tmp_path / "one"), (str(tmp_path), tmp_path / "two")):
        # A folder of part files, as Spark writes it.
        made = run(MovielensTrainOperator, input_path=f"{root}/ratings", registry=registry, parameters=parameters)
        assert made["ratings"] == len(ratings.unique(["userId", "movieId"]))
        run(
            MovielensRecommendOperator,
            input_path=f"{root}/ratings",
            registry=registry,
            output_path=f"{root}/recommendations.parquet",
            model="challenger",
        )
    check_same(bucket, tmp_path, "recommendations.parquet")
    assert bucket.json("data/.recommendations.parquet.manifest.json")["rows"] > 0
    assert ModelRegistry(tmp_path / "one").aliases().challenger is not None


def records_in(root):
    found = [Catalogue(root).records(kind) for kind in ("fetch", "ranking")]
    assert not any(of_kind.problems for of_kind in found)
    return sorted((record.kind, record.path, record.facts["rows"]) for of_kind in found for record in of_kind.records)


def test_the_catalogue_of_a_data_root_on_s3_is_written_and_rebuilt(bucket, monkeypatch):
    root = bucket.url("data")
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", root)
    fetch(f"{root}/days")
    run(MovielensRankMoviesOperator, input_path=f"{root}/days/*.parquet", output_path=f"{root}/ranking.csv")
    # Six requests for each of the three tasks.
    assert len(bucket.proxy.names(r"/\.movielens-catalogue/")) == 18
    recorded = records_in(root)
    assert [kind for kind, _, _ in recorded] == ["fetch", "fetch", "ranking"]
    # A file that is not finished is left out.
    bucket.write("data/days/x.csv", b"")
    bucket.write("data/days/.x.csv.manifest.json", b'{"unfinished_since": "2000-11-21T06:00:00+00:00"}')
    rebuild(root, lambda _: None)
    assert records_in(root) == recorded


def test_the_command_line_takes_urls(bucket, api, monkeypatch, tmp_path):
    monkeypatch.setenv("MOVIELENS_PASSWORD", api.password)
    url = bucket.url("day.csv")
    window = ["--start-date", "2000-11-20", "--end-date", "2000-11-21"]
    for path in (url, str(tmp_path / "day.csv")):
        assert main(["fetch", *window, "--host", api.base_url, "--user", api.user, "--output-path", path]) == 0
        ranking = path.replace("day.csv", "ranking.csv")
        assert main(["rank", "--input-path", path, "--output-path", ranking]) == 0
    for name in ("day.csv", "ranking.csv"):
        assert bucket.read(name) == (tmp_path / name).read_bytes()


def test_the_command_line_reports_wrong_credentials_in_one_line(bucket, api, monkeypatch, capsys):
    monkeypatch.setenv("MOVIELENS_PASSWORD", api.password)
    window = ["--start-date", "2000-11-20", "--end-date", "2000-11-21"]
    url = bucket.url("day.csv", "wrong_key")
    assert main(["fetch", *window, "--host", api.base_url, "--user", api.user, "--output-path", url]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "day.csv" in line]
    assert len(lines) == 1
    assert "cannot be written: The access key ID you provided does not exist in our records." in lines[0]
