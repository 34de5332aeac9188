"""The manifest of a ranking: the method, the days that the ratings cover, and the files read with their checksums."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import polars as pl
import pytest
from airflow.sdk.io import attach
from integration.bucket import Bucket

from airflow_movielens.cli import main
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

STORE = Bucket()
KEPT = ("path", "sha256", "bytes")


def fetch(path, first, end):
    operator = MovielensFetchRatingsOperator(
        task_id="fetch", conn_id="movielens", output_path=str(path), start_date=first, end_date=end
    )
    return operator.execute({})


def rank(input_path, output_path, **arguments):
    operator = MovielensRankMoviesOperator(
        task_id="rank", input_path=input_path, output_path=str(output_path), **arguments
    )
    return operator.execute({})


def beside(path):
    return json.loads(Path(path).with_name(f".{Path(path).name}.manifest.json").read_text())


def sha256_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def days(tmp_path):
    """Return the manifests of three fetched days, two of which follow each other."""
    return [fetch(tmp_path / f"{day}.parquet", f"2000-11-{day}", f"2000-11-{day + 1}") for day in (20, 21, 27)]


def test_a_manifest_says_how_and_from_what_a_ranking_was_computed(tmp_path, days):
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n912,Casablanca (1942),Drama\n")
    rank(days[0], tmp_path / "earlier.csv", method="bayesian")
    output = tmp_path / "ranking.csv"
    manifest = rank(
        days,
        output,
        method="bayesian",
        parameters={"k": 50},
        min_ratings=2,
        movies_path=str(tmp_path / "movies.csv"),
        compare_to=str(tmp_path / "earlier.csv"),
    )
    assert beside(output) == manifest
    expected = {
        "path": str(output),
        "rows": len(pl.read_csv(output)),
        "method": "bayesian",
        "parameters": {"k": 50},
        "min_ratings": 2,
        "start_date": "2000-11-20",
        "end_date": "2000-11-28",
        "days": 3,
        "ratings": sum(day["rows"] for day in days),
        "files": 3,
        "sha256": sha256_of(output),
        "bytes": output.stat().st_size,
        "source": None,
    }
    assert manifest.items() >= expected.items()
    assert manifest["inputs"] == [
        {name: day[name] for name in (*KEPT, "rows", "start_date", "end_date")} for day in days
    ]
    for name, file in (("movies", tmp_path / "movies.csv"), ("compare_to", tmp_path / "earlier.csv")):
        assert manifest[name] == [dict(zip(KEPT, (str(file), sha256_of(file), file.stat().st_size), strict=True))]


def test_titles_of_an_api_have_a_source(tmp_path, days, api):
    manifest = rank(days[0], tmp_path / "ranking.csv", conn_id="movielens")
    assert (manifest["source"], manifest["movies"]) == (api.base_url, [])


def test_one_checksum_stands_for_all_inputs_in_any_order(tmp_path, days):
    forward = rank(days, tmp_path / "a.csv")
    backward = rank(days[::-1], tmp_path / "b.csv")
    paths = " ".join(f"'{day['path']}'" for day in days)
    shell = subprocess.run(
        f"sha256sum {paths} | cut -c 1-64 | LC_ALL=C sort | sha256sum",
        shell=True, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert forward["inputs_sha256"] == backward["inputs_sha256"] == shell.stdout.split()[0]
    assert forward["sha256"] == backward["sha256"]
    assert rank(days[:2], tmp_path / "c.csv")["inputs_sha256"] != forward["inputs_sha256"]


def test_a_day_without_ratings_is_covered(tmp_path):
    empty = fetch(tmp_path / "a.parquet", "2000-11-23", "2000-11-24")
    assert empty["rows"] == 0
    manifest = rank(empty, tmp_path / "ranking.csv", method="trending")
    assert (manifest["start_date"], manifest["end_date"], manifest["days"]) == ("2000-11-23", "2000-11-24", 1)
    (tmp_path / "b.csv").write_text("userId,movieId,rating,timestamp\n")
    manifest = rank(str(tmp_path / "b.csv"), tmp_path / "ranking.csv", method="trending")
    assert (manifest["start_date"], manifest["end_date"], manifest["days"]) == (None, None, 0)


def test_files_without_a_manifest_cover_the_days_of_their_ratings(tmp_path, days):
    moved = tmp_path / "moved.csv"
    pl.concat(pl.read_parquet(day["path"]) for day in days).write_csv(moved)
    manifest = rank([str(moved), days[0]], tmp_path / "ranking.csv")
    assert (manifest["start_date"], manifest["end_date"], manifest["days"]) == ("2000-11-20", "2000-11-28", 8)
    assert manifest["inputs"][0]["rows"] == sum(day["rows"] for day in days)
    assert manifest["ratings"] == manifest["inputs"][0]["rows"] + days[0]["rows"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"sha256": 7}'])
def test_a_manifest_that_does_not_describe_the_file_is_not_used(tmp_path, days, content):
    file = Path(days[0]["path"])
    if content is None:  # the file was replaced by other software
        pl.read_parquet(file).head(10).write_parquet(file)
    else:
        file.with_name(f".{file.name}.manifest.json").write_text(content)
    (found,) = rank(str(file), tmp_path / "ranking.csv")["inputs"]
    assert found["rows"] == (10 if content is None else days[0]["rows"])
    assert found["sha256"] == sha256_of(file)


def test_a_return_value_stays_small_and_the_file_beside_lists_all_inputs(tmp_path):
    rows = "userId,movieId,rating,timestamp\n1,2,3.5,{}\n"
    for day in range(366):
        (tmp_path / f"day-{day:03}.csv").write_text(rows.format(974_246_400 + 86_400 * day))
    manifest = rank(str(tmp_path / "day-*.csv"), tmp_path / "ranking.csv", min_ratings=1)
    assert len(json.dumps(manifest)) < 1500
    whole = beside(tmp_path / "ranking.csv")
    assert whole | {"inputs": None} == manifest
    assert [Path(file["path"]).name for file in whole["inputs"]] == [f"day-{day:03}.csv" for day in range(366)]
    assert (manifest["files"], manifest["days"], manifest["end_date"]) == (366, 366, "2001-11-16")
    month = rank(str(tmp_path / "day-0[0-2]*.csv"), tmp_path / "ranking.csv", min_ratings=1)
    assert len(month["inputs"]) == month["files"] == 30


def test_a_ranking_in_a_bucket_has_its_manifest_beside_it(tmp_path):
    STORE.open_at(tmp_path)
    attach(protocol="gs", fs=STORE)
    day = fetch("gs://bucket/20.parquet", "2000-11-20", "2000-11-21")
    manifest = rank("gs://bucket/*.parquet", "gs://bucket/rankings/20.csv")
    assert manifest["inputs"] == [{name: day[name] for name in (*KEPT, "rows", "start_date", "end_date")}]
    assert beside(tmp_path / "bucket" / "rankings" / "20.csv") == manifest
    assert manifest["sha256"] == sha256_of(tmp_path / "bucket" / "rankings" / "20.csv")


def test_the_command_line_writes_the_same_manifest(tmp_path, days):
    by_task = rank(days, tmp_path / "ranking.csv")
    arguments = ["--input-path", *(day["path"] for day in days), "--output-path", str(tmp_path / "ranking.csv")]
    (tmp_path / ".ranking.csv.manifest.json").write_text("of another file")
    assert main(["rank", *arguments]) == 0
    assert beside(tmp_path / "ranking.csv") | {"ranked_at": None} == by_task | {"ranked_at": None}
