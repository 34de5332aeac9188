"""The events that OpenLineage's own provider sends for a run of a Dag."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from integration import tasks_api

from airflow_movielens.lineage import Dataset, LineageMixin, files_of_fetch

RATINGS_COLUMNS = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
PASSWORD = "n0t-the-p@ssword"


@pytest.fixture(scope="module")
def events(airflow, api, tmp_path_factory):
    """Return the last event of each task of the Dag `lineage`, and the text of all events."""
    file = tmp_path_factory.mktemp("lineage") / "events"
    connection = {"conn_type": "movielens", "host": api.base_url, "login": api.user, "password": api.password}
    environment = {
        **os.environ,
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(file), "append": True}),
        "AIRFLOW_CONN_MOVIELENS": json.dumps(connection),
        "AIRFLOW_CONN_REFUSED": json.dumps(connection | {"password": PASSWORD}),
    }
    command = [sys.executable, tasks_api.__file__, "dags", "test", "lineage"]
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert file.exists(), run.stdout + run.stderr
    lines = file.read_text().splitlines()
    return {event["job"]["name"]: event for event in map(json.loads, lines)} | {"text": file.read_text()}


def names(datasets):
    return sorted((dataset["namespace"], dataset["name"]) for dataset in datasets)


def columns(dataset):
    return {field["name"]: field["type"] for field in dataset["facets"]["schema"]["fields"]}


def parameters(event):
    return {item["key"]: item["value"] for item in event["run"]["facets"]["executionParameters"]["parameters"]}


@pytest.fixture
def data(airflow):
    return f"{airflow}/lineage"


@pytest.fixture
def source(api):
    return f"movielens://127.0.0.1:{api.port}"


def test_a_fetch_reads_a_window_of_the_api(events, source, api):
    (ratings,) = events["lineage.fetch"]["inputs"]
    assert names([ratings]) == [(source, "ratings")]
    assert columns(ratings) == RATINGS_COLUMNS
    assert ratings["facets"]["dataSource"]["uri"] == api.base_url
    assert ratings["facets"]["version"]["datasetVersion"]
    assert ratings["inputFacets"]["inputStatistics"]["rowCount"] == 1055
    condition = ratings["inputFacets"]["subset"]["inputCondition"]
    bounds = [
        (part["left"]["field"], part["comparison"], part["right"]["value"])
        for part in map(condition.get, ("left", "right"))
    ]
    assert condition["operator"] == "AND"
    assert bounds == [
        ("timestamp", "GREATER_EQUAL_THAN", "2000-11-20T00:00:00Z"),
        ("timestamp", "LESS_THAN", "2000-11-21T00:00:00Z"),
    ]


def test_a_fetch_writes_a_file(events, data):
    (file,) = events["lineage.fetch"]["outputs"]
    assert names([file]) == [("file", f"{data}/20.parquet")]
    assert columns(file) == RATINGS_COLUMNS
    content = Path(f"{data}/20.parquet").read_bytes()
    assert file["facets"]["version"]["datasetVersion"] == hashlib.sha256(content).hexdigest()
    assert file["outputFacets"]["outputStatistics"].items() >= {"rowCount": 1055, "size": len(content)}.items()


def test_a_ranking_reads_what_the_fetch_wrote(events, data, source):
    event = events["lineage.rank"]
    assert names(event["inputs"]) == [("file", f"{data}/20.parquet"), (source, "movies")]
    (ranking,) = event["outputs"]
    assert names([ranking]) == [("file", f"{data}/top.csv")]
    assert columns(ranking) == {"movieId": "int32", "title": "string", "avg_rating": "float64", "num_ratings": "int64"}
    assert (
        ranking["outputFacets"]["outputStatistics"]["rowCount"]
        == len(Path(f"{data}/top.csv").read_text().splitlines()) - 1
    )


def test_a_rankings_datasets_have_checksums_and_its_run_has_the_parameters(events, data, source):
    event = events["lineage.rank_best"]
    named = {dataset["name"]: dataset for dataset in [*event["inputs"], *event["outputs"]]}
    files = [f"{data}/20.parquet", f"{data}/names.csv", f"{data}/best_before.csv", f"{data}/best.csv"]
    assert sorted(named) == sorted(files)
    for name in files:
        content = Path(name).read_bytes()
        assert named[name]["facets"]["version"]["datasetVersion"] == hashlib.sha256(content).hexdigest()
    statistics = named[files[0]]["inputFacets"]["inputStatistics"]
    assert statistics.items() >= {"rowCount": 1055, "size": Path(files[0]).stat().st_size}.items()
    assert columns(named[files[1]]) == {"movieId": "int32", "title": "string"}
    assert columns(named[files[2]]) == {"rank": "int64", "movieId": "int32"}
    assert columns(named[files[3]]) == {
        "rank": "int64", "movieId": "int32", "title": "string", "score": "float64", "num_ratings": "int64",
        "avg_rating": "float64", "previous_rank": "int64", "rank_change": "int64", "is_new": "boolean",
    }  # fmt: skip
    output = named[files[3]]["outputFacets"]["outputStatistics"]
    assert output.items() >= {"size": Path(files[3]).stat().st_size, "rowCount": output["rowCount"]}.items()
    assert parameters(event) == {"method": "bayesian", "k": "50.0", "min_ratings": "2"}
    assert parameters(events["lineage.rank"]) == {"method": "mean", "min_ratings": "3"}
    assert parameters(events["lineage.popularity"]) == {"method": "mean", "min_ratings": "4"}
    assert "executionParameters" not in events["lineage.fetch"]["run"]["facets"]


def test_popularity_reads_the_api_and_writes_nothing(events, source):
    event = events["lineage.popularity"]
    assert names(event["inputs"]) == [(source, "movies"), (source, "ratings")]
    assert [dataset["inputFacets"]["inputStatistics"]["rowCount"] for dataset in event["inputs"]] == [1055, 9066]
    assert not event.get("outputs")


def test_a_plain_task_that_uses_the_hook_has_inputs_once_each(events, data, source):
    event = events["lineage.plain"]
    assert names(event["inputs"]) == [(source, "movies"), (source, "ratings")]
    assert names(event["outputs"]) == [("file", f"{data}/titles.txt")]


def test_a_failed_task_has_no_inputs_and_outputs(events):
    event = events["lineage.refused"]
    assert event["eventType"] == "FAIL"
    assert not event.get("inputs")
    assert not event.get("outputs")
    assert "refuses the credentials" in event["run"]["facets"]["errorMessage"]["message"]


def test_no_event_has_credentials(events, api):
    for secret in (api.password, PASSWORD, quote(api.password, safe=""), quote(PASSWORD, safe="")):
        assert secret not in events["text"]
        for user in (api.user, ""):
            assert base64.b64encode(f"{user}:{secret}".encode()).decode() not in events["text"]


def test_objects_are_named_without_the_connection():
    assert Dataset("s3://aws_default@bucket/a/b#1?.csv", {}).identifier == ("s3://bucket", "a/b#1?.csv")
    assert Dataset("gcs://bucket/a.csv", {}).identifier == ("gs://bucket", "a.csv")
    assert Dataset("file:///data/a%20b.csv", {}).identifier == ("file", "/data/a b.csv")
    assert Dataset("a.csv", {}).identifier == ("file", str(Path("a.csv").absolute()))


def test_a_file_that_is_given_twice_is_one_input():
    twice = LineageMixin()
    twice._inputs = [Dataset("/a.csv", {}), Dataset("file:///a.csv", {})]
    assert [item.name for item in twice.get_openlineage_facets_on_complete(None).inputs] == ["/a.csv"]


def test_quarantined_rows_are_an_output_of_their_own():
    manifest = SimpleNamespace(
        path="/a.csv", rows=5, bytes=7, sha256="x", quarantine_path="/a.csv.quarantine.ndjson", quarantined=2
    )
    told = LineageMixin()
    told._outputs = files_of_fetch(manifest)
    outputs = told.get_openlineage_facets_on_complete(None).outputs
    counts = {item.name: item.outputFacets["outputStatistics"].rowCount for item in outputs}
    assert counts == {"/a.csv": 5, "/a.csv.quarantine.ndjson": 2}
