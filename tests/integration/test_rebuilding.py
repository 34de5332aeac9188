"""A catalogue made anew from the files of its data root."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from integration.bucket import ATOMIC, ATOMIC_URL, atomic_bucket_at
from integration.catalogue_tasks import CONTEXT, fetch, rank
from integration.test_promoting import evaluated
from integration.test_recommending import PARAMETERS, RATINGS
from unit.catalogue_processes import record_of

from airflow_movielens.cli import main
from airflow_movielens.operators import (
    MovielensPromoteOperator,
    MovielensRecommendOperator,
    MovielensTrainOperator,
)
from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.rebuilding import rebuild


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path, monkeypatch):
    """Return a data root with two fetched days and their ranking, recorded in its catalogue."""
    atomic_bucket_at(tmp_path)
    root = ATOMIC_URL if request.param == "bucket" else str(tmp_path / "bucket/data")
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", root)
    fetch(f"{root}/days/20.parquet")
    fetch(f"{root}/days/21.parquet", start_date="2000-11-21", end_date="2000-11-22")
    rank(f"{root}/days/*.parquet", f"{root}/ranking.csv", conn_id="movielens")
    return root


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "bucket/data"


def without_fetch(record):
    return replace(record, facts={name: value for name, value in record.facts.items() if name != "fetch"})


def contents(catalogue):
    return [
        without_fetch(record)
        for kind in ("fetch", "ranking", "training")
        for record in sorted(catalogue.records(kind).records, key=lambda record: record.path)
    ]


def test_a_catalogue_is_made_anew_by_the_command(root, folder, capsys):
    catalogue = Catalogue(root)
    before, movies = contents(catalogue), catalogue.movies()
    assert len(before) == 3
    shutil.rmtree(folder / ".movielens-catalogue")
    assert main(["catalogue", "rebuild", root]) == 0
    assert capsys.readouterr().out == f"3 records in the catalogue of {root}: fetch 2, ranking 1\n"
    assert contents(catalogue) == before
    assert len(catalogue.records_of_run("movielens", "manual__1").records) == 3
    assert movies
    assert catalogue.movies() == {}


def test_what_the_files_do_not_say_is_gone_and_the_rest_is_not_doubled(root, folder):
    catalogue = Catalogue(root)
    before, movies = contents(catalogue), catalogue.movies()
    failed = replace(record_of(0, path=f"{root}/days/1.parquet"), succeeded=False, error="No.")
    for record in (failed, record_of(0, "training"), replace(before[0], at="2026-11-01T00:00:00Z")):
        catalogue.add(record)
    (folder / "days/21.parquet").unlink()
    (folder / ".movielens-catalogue/fetch/2000-11.json").write_text("damaged")
    assert rebuild(root, lambda _: None) == {"fetch": 1, "ranking": 1}
    assert contents(catalogue) == [before[0], before[2]]
    assert catalogue.months("fetch") == ["2000-11"]
    assert catalogue.months("training") == []
    assert catalogue.movies() == movies
    assert len(catalogue.records_of_run("movielens", "manual__1").records) == 2
    assert catalogue.records_of_run("movielens", record_of(0).task.run_id).records == []


def test_what_tasks_record_meanwhile_stays_and_is_not_doubled(root):
    catalogue = Catalogue(root)
    before = contents(catalogue)
    new = record_of(0, path=f"{root}/new.parquet")
    fetched = catalogue.records("fetch").records[0]
    meanwhile = [new, fetched]

    def progress(_):
        while meanwhile:
            catalogue.add(meanwhile.pop())

    assert rebuild(root, progress)["fetch"] == 3
    assert contents(catalogue) == sorted([*before[:2], new], key=lambda record: record.path) + before[2:]
    assert fetched in catalogue.records("fetch").records


def test_files_that_cannot_be_read_are_logged_and_left_out(root, folder, caplog):
    (folder / "days/.20.parquet.manifest.json").write_text('{"fetched_at": 1}')
    (folder / "days/.21.parquet.manifest.json").write_text("{")
    assert rebuild(root, lambda _: None) == {"ranking": 1}
    assert caplog.text.count("has a manifest that cannot be read") == 2
    assert "days/20.parquet" in caplog.text


def test_manifests_of_earlier_versions_have_no_task(root, folder):
    manifest = folder / "days/.20.parquet.manifest.json"
    manifest.write_text(manifest.read_text().replace('"task": {', '"other": {'))
    rebuild(root, lambda _: None)
    first, second = sorted(Catalogue(root).records("fetch").records, key=lambda record: record.path)
    assert first.task is None
    assert second.task.task_id == "a_task"


def test_registries_and_evaluations_are_read_too(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(tmp_path))
    RATINGS.write_parquet(tmp_path / "r.parquet")
    common = {"input_path": tmp_path / "r.parquet", "registry": tmp_path / "models"}
    trained = MovielensTrainOperator(task_id="t", **common, parameters=PARAMETERS).execute(CONTEXT)
    evaluation = evaluated(tmp_path, trained["version"])
    MovielensPromoteOperator(task_id="p", registry=tmp_path / "models", evaluation_path=evaluation).execute(CONTEXT)
    MovielensRecommendOperator(task_id="r", **common, output_path=tmp_path / "best.parquet").execute(CONTEXT)
    catalogue = Catalogue(str(tmp_path))
    kinds = ["training", "promotion", "recommendations"]
    before = {kind: catalogue.records(kind).records for kind in kinds}
    assert rebuild(str(tmp_path), lambda _: None) == dict.fromkeys(kinds, 1) | {"evaluation": 1}
    for kind in kinds:
        (after,) = catalogue.records(kind).records
        (known,) = before[kind]
        assert (after.path, after.facts) == (known.path, known.facts)
        assert (after.task is None) == (kind != "recommendations")
    (judged,) = catalogue.records("evaluation").records
    assert judged.path == str(evaluation / "evaluation.json")
    assert judged.facts["challenger"] == trained["version"]
    assert judged.facts["registry"] == str(tmp_path / "models")
    assert judged.at == "2026-11-29T02:00:00Z"


def test_an_empty_month_keeps_no_index(tmp_path):
    Catalogue(str(tmp_path)).add(record_of(0))
    assert rebuild(str(tmp_path), lambda _: None) == {}
    folder = tmp_path / ".movielens-catalogue"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("root", "said"),
    [("/nowhere/data", "there is no folder /nowhere/data"), ("s3:/bucket", "looks like a URL without its two slashes")],
)
def test_a_root_that_cannot_be_read_is_one_line(root, said, capsys):
    assert main(["catalogue", "rebuild", root]) in (1, 2)
    assert said in capsys.readouterr().err


def test_a_rebuild_without_permission_to_delete_says_so(tmp_path, capsys):
    atomic_bucket_at(tmp_path)
    Catalogue(ATOMIC_URL).add(record_of(0))
    ATOMIC.refused = {"rm_file": PermissionError("delete is not allowed")}
    assert main(["catalogue", "rebuild", ATOMIC_URL]) == 1
    assert "cannot be removed: delete is not allowed" in capsys.readouterr().err
