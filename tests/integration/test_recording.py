"""What the operators record in the catalogue of the configured data root."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow.triggers.base import BaseTrigger
from integration.catalogue_tasks import CONTEXT, TASK, WINDOW, fetch, rank
from integration.test_promoting import evaluated
from integration.test_recommending import EVALUATED
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.operators import (
    MovielensEvaluateOperator,
    MovielensPromoteOperator,
    MovielensRecommendOperator,
    MovielensTrainOperator,
)
from airflow_movielens.ranking.manifest import MANY_INPUTS
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.recording import recorded


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    """Configure a data root, and return its catalogue."""
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(tmp_path))
    return Catalogue(str(tmp_path))


def the_record(catalogue, kind):
    found = catalogue.records(kind)
    assert found.problems == []
    (record,) = found.records
    return record


def test_a_fetch_is_recorded_with_its_manifest_and_how_it_went(catalogue, tmp_path):
    manifest = fetch(tmp_path / "days/20.parquet", batch_size=500)
    record = the_record(catalogue, "fetch")
    assert record.path == str(tmp_path / "days/20.parquet")
    assert (record.succeeded, record.error, record.task) == (True, None, TASK)
    assert datetime.fromisoformat(record.at) == datetime.fromisoformat(manifest["fetched_at"])
    facts = dict(record.facts)
    how = facts.pop("fetch")
    assert facts == {name: value for name, value in manifest.items() if name not in ("path", "task")}
    assert (how["pages"], how["requests_repeated"], how["resumed_rows"]) == (2, 0, 0)
    assert how["seconds"] > 0
    assert manifest["task"] == {
        "dag_id": "movielens", "run_id": "manual__1", "task_id": "a_task", "map_index": 3, "try_number": 2,
    }  # fmt: skip
    stars = pl.read_parquet(record.path)["rating"].to_list()
    assert manifest["histogram"] == [stars.count(number / 2) for number in range(1, 11)]
    assert catalogue.months("fetch") == ["2000-11"]


def test_repeated_requests_are_counted(catalogue, tmp_path, connection):
    rows = ratings(600)

    def overloaded(_, query, number):
        return Response(503, b"") if number == 5 else page_of(rows, query)

    with serve(overloaded) as server:
        connection(host=server.base_url, port=None)
        fetch(tmp_path / "r.csv", start_date="1970-01-02", end_date="1970-01-03", batch_size=100)
    assert the_record(catalogue, "fetch").facts["fetch"]["requests_repeated"] == 1


def test_the_record_of_a_ranking_of_many_files_has_their_folders(catalogue, tmp_path):
    fetch(tmp_path / "ratings/20.parquet")
    days = [tmp_path / f"ratings/{number}.parquet" for number in range(MANY_INPUTS + 1)]
    for day in days:
        day.write_bytes((tmp_path / "ratings/20.parquet").read_bytes())
    rank([str(day) for day in days], tmp_path / "many.csv")
    assert the_record(catalogue, "ranking").facts["input_folders"] == [str(tmp_path / "ratings")]


def test_a_failed_fetch_is_recorded_with_what_is_known(catalogue, tmp_path, connection):
    connection(password="hunter2")
    with pytest.raises(AirflowFailException):
        fetch(tmp_path / "20.parquet")
    failed = the_record(catalogue, "fetch")
    assert (failed.succeeded, failed.path, failed.task) == (False, str(tmp_path / "20.parquet"), TASK)
    assert "the API refuses the credentials" in failed.error
    assert "hunter2" not in failed.error
    assert failed.facts == {"path": str(tmp_path / "20.parquet"), **WINDOW}
    connection()
    fetch(tmp_path / "20.parquet")
    assert [record.succeeded for record in catalogue.records("fetch", ["2000-11"]).records] == [False, True]
    assert len(catalogue.records_of_run("movielens", "manual__1").records) == 2


def test_a_ranking_is_recorded_without_lists_of_files_and_saves_the_movies(catalogue, tmp_path):
    fetch(tmp_path / "20.parquet")
    rank(tmp_path / "20.parquet", tmp_path / "before.csv", conn_id="movielens")
    (before,) = catalogue.records("ranking", ["2000-11"]).records
    assert before.facts["compare_to"] is None
    summary = rank(
        tmp_path / "20.parquet", tmp_path / "after.csv", conn_id="movielens", compare_to=tmp_path / "before.csv"
    )
    after = next(record for record in catalogue.records("ranking").records if record.path.endswith("after.csv"))
    assert after.facts.keys() == summary.keys() - {"inputs", "movies", "path", "task"} | {"input_folders"}
    assert after.facts["input_folders"] == [str(tmp_path)]
    assert after.facts["compare_to"] == str(tmp_path / "before.csv")
    assert (after.facts["method"], after.facts["rows"], after.task) == ("bayesian", summary["rows"], TASK)
    movies = catalogue.movies()
    assert movies[912].title == "Casablanca"
    assert movies[912].year == 1942
    assert movies[912].genres == ["Drama", "Romance"]
    with pytest.raises(AirflowFailException):
        rank(tmp_path / "none.parquet", tmp_path / "after.csv")
    assert "none.parquet" in catalogue.records("ranking").records[-1].error


def test_the_life_of_a_model_is_recorded(catalogue, tmp_path):
    EVALUATED.write_parquet(tmp_path / "r.parquet")
    common = {"input_path": tmp_path / "r.parquet", "registry": tmp_path / "models"}
    folder = str(tmp_path / "models")
    skipped = MovielensRecommendOperator(task_id="r", **common, output_path=tmp_path / "best.parquet")
    with pytest.raises(AirflowSkipException):
        skipped.execute(CONTEXT)
    trained = MovielensTrainOperator(task_id="t", **common, parameters={"lambda_1": 5.0}).execute(CONTEXT)
    promoted = MovielensPromoteOperator(
        task_id="p", registry=tmp_path / "models", evaluation_path=evaluated(tmp_path, trained["version"])
    ).execute(CONTEXT)
    evaluation = MovielensEvaluateOperator(
        task_id="e", **common, output_path=tmp_path / "report", cuts=["1972-09-27"]
    ).execute(CONTEXT)
    best = MovielensRecommendOperator(task_id="r", **common, output_path=tmp_path / "best.parquet").execute(CONTEXT)
    assert promoted["is_promoted"]
    expected = {
        "training": (folder, trained),
        "promotion": (folder, promoted),
        "evaluation": (str(tmp_path / "report/evaluation.json"), evaluation),
        "recommendations": (str(tmp_path / "best.parquet"), best),
    }
    for kind, (path, facts) in expected.items():
        record = the_record(catalogue, kind)
        assert (record.path, record.succeeded, record.task) == (path, True, TASK)
        repeated = ("inputs", "path", "task") if kind == "recommendations" else ("inputs",)
        of_record = {name: value for name, value in facts.items() if name not in repeated}
        assert record.facts == json.loads(json.dumps({**of_record, "registry": folder}))
    assert best["task"]["task_id"] == "a_task"
    with pytest.raises(AirflowFailException):
        MovielensPromoteOperator(task_id="p", registry=folder, evaluation_path=tmp_path / "none").execute(CONTEXT)
    assert catalogue.records("promotion").records[-1].error.endswith("none'")
    assert len(ModelRegistry(folder).history()) == 2


@pytest.mark.parametrize(
    ("error", "is_recorded"),
    [
        (TaskDeferred(trigger=BaseTrigger, method_name="execute_complete"), False),
        (AirflowSkipException("no ratings"), False),
        (SystemExit("The task was asked to stop"), False),
        (AirflowTaskTimeout("Timeout"), True),
        (KeyError("a bug"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_failures_are_recorded(catalogue, tmp_path, error, is_recorded):
    with pytest.raises(type(error)):
        with recorded("fetch", CONTEXT, tmp_path / "r.csv"):
            raise error
    assert len(catalogue.records("fetch").records) == is_recorded


@pytest.mark.parametrize("root", ["", "elsewhere", "s3://bucket/data"])
def test_an_output_outside_the_data_root_is_not_recorded(tmp_path, monkeypatch, root):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", root and (root if ":" in root else str(tmp_path / root)))
    manifest = fetch(tmp_path / "elsewhere.csv")
    assert manifest["rows"] == 1055
    assert sorted(path.name for path in tmp_path.iterdir()) == [".elsewhere.csv.manifest.json", "elsewhere.csv"]


def test_a_root_behind_a_link_has_the_outputs_of_both_names(catalogue, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(tmp_path / "link"))
    fetch(tmp_path / "data/r.csv")
    assert the_record(Catalogue(str(tmp_path / "data")), "fetch").path == str(tmp_path / "data/r.csv")


def test_a_task_succeeds_without_its_catalogue(catalogue, tmp_path, caplog):
    (tmp_path / ".movielens-catalogue").write_text("a file")
    assert fetch(tmp_path / "r.csv")["rows"] == 1055
    assert f"The catalogue of {tmp_path} lacks this task, because it cannot be written" in caplog.text


def test_a_task_fails_with_its_own_error_without_its_catalogue(catalogue, tmp_path, connection):
    (tmp_path / ".movielens-catalogue").write_text("a file")
    connection(password="wrong")
    with pytest.raises(AirflowFailException, match="the API refuses the credentials"):
        fetch(tmp_path / "r.csv")


def test_airflow_knows_the_options():
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()  # Airflow 3.1 does so only when it needs providers
    assert conf.get("movielens", "data_root") == ""
    assert conf.getboolean("movielens", "page") is True


def test_the_tasks_of_a_dag_run_are_found_by_it(run_day, airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(airflow))
    run = run_day("03_operator", "2000-11-22")
    assert run.state == "success", run.log
    fetched = run.results["fetch_ratings"]
    found = Catalogue(str(airflow)).records_of_run("03_operator", fetched["task"]["run_id"])
    tasks = {record.kind: record.task for record in found.records}
    assert {kind: task.task_id for kind, task in tasks.items()} == {"fetch": "fetch_ratings", "ranking": "rank_movies"}
    assert tasks["fetch"].map_index == -1
    assert tasks["fetch"].try_number >= 1
    assert {Path(record.path).name for record in found.records} == {"2000-11-22.json", "2000-11-22.csv"}
