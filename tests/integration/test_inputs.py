"""The files that are read and written, on this machine and in a bucket, which is a folder here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.exceptions import AirflowFailException
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from integration.bucket import Bucket
from unit.command_line import COMMAND
from unit.scripted_server import ratings

from airflow_movielens.cli import main
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.storage.inputs import input_files

STORE = Bucket()
ROWS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{row['userId']},{row['movieId']},{row['rating']},{row['timestamp']}\n" for row in ratings(20)
)


@pytest.fixture(params=["", "gs://bucket/", "gs://conn@bucket/"], ids=["local", "bucket", "bucket of a connection"])
def place(request, tmp_path, monkeypatch):
    """Return the prefix of paths in a folder, which is also the working directory."""
    STORE.open_at(tmp_path)
    attach(protocol="gs", fs=STORE)
    attach(protocol="gs", conn_id="conn", fs=STORE)
    (tmp_path / "bucket").mkdir()
    monkeypatch.chdir(tmp_path / "bucket")
    return request.param


def put(*names, content=ROWS):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content)


def rank(**arguments):
    return MovielensRankMoviesOperator(task_id="rank", **{"min_ratings": 1} | arguments).execute({})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("*.csv", ["a.csv", "b.csv", "spark.csv/part-0.csv"]),
        ("*", ["a.csv", "b.csv", "hive/day=1/x.csv", "spark.csv/part-0.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "folder/c.csv", "hive/day=1/x.csv", "spark.csv/part-0.csv"]),
        ("spark.csv", ["spark.csv/part-0.csv"]),
        ("spark.csv/", ["spark.csv/part-0.csv"]),
        (["a.csv", "*.csv", "a.csv"], ["a.csv", "b.csv", "spark.csv/part-0.csv"]),
        ("hive", ["hive/day=1/x.csv"]),
    ],
)
def test_globs_and_folders_find_only_files_of_rows(place, given, found):
    put("a.csv", "b.csv", "folder/c.csv", "spark.csv/part-0.csv", "hive/day=1/x.csv")
    put("_SUCCESS", ".a.csv.crc", ".a.csv.manifest.json", "a.csv.quarantine.ndjson", "spark.csv/_SUCCESS", content="")
    put("spark.csv/.part-0.csv.crc", "spark.csv/_temporary/part-1.csv", ".partial-b.csv", content="")
    one = isinstance(given, str)
    files = input_files(place + given if one else [place + name for name in given])
    assert sorted(files) == sorted(place + name for name in found)


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv"])
def test_an_exact_path_is_not_a_pattern(place, name):
    put(name, "a1.csv", "ab.csv")
    assert input_files(place + name) == [place + name]
    assert input_files({"path": place + name}) == [place + name]
    assert rank(input_path={"path": place + name}, output_path=f"{place}a2.csv")["files"] == 1
    assert Path("a1.csv").read_text() == Path(name).read_text() == ROWS
    Path(name).unlink()
    with pytest.raises(AirflowFailException, match="there is no file"):
        rank(input_path={"path": place + name}, output_path=f"{place}out.csv")


def test_a_folder_of_other_files_and_an_empty_one_are_refused(place):
    put("folder/a.csv")
    put("empty.csv/_SUCCESS")
    with pytest.raises(ValueError, match="is a folder: give its files"):
        input_files(f"{place}folder")
    with pytest.raises(FileNotFoundError, match=r"no file of rows in the folder"):
        input_files(f"{place}empty.csv")


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        ("a.csv", "a.csv"),
        (["b.csv", "a.csv"], "a.csv"),
        ({"path": "a.csv"}, "a.csv"),
        ("*.csv", "a.csv"),
        ("*.csv", "new.csv"),
        ("**", "folder/new.csv"),
        ("spark.csv", "spark.csv/part-0.csv"),
        ("spark.csv", "spark.csv/ranking.csv"),
    ],
)
def test_an_output_is_never_an_input(place, inputs, output, capsys):
    put("a.csv", "b.csv", "spark.csv/part-0.csv")
    before = sorted(Path().rglob("*"))

    def at_place(item):
        return {"path": place + item["path"]} if isinstance(item, dict) else place + item

    given = [at_place(item) for item in inputs] if isinstance(inputs, list) else at_place(inputs)
    with pytest.raises(AirflowFailException, match=r"the output .*write"):
        rank(input_path=given, output_path=place + output)
    if isinstance(inputs, str):
        assert main(["rank", "--input-path", given, "--output-path", place + output]) == 2
        assert "the output" in capsys.readouterr().err
    put("r.ndjson")
    with pytest.raises(AirflowFailException, match=r"the output .*write"):
        rank(input_path=f"{place}r.ndjson", movies_path=f"{place}a.csv", output_path=f"{place}a.csv")
    Path("r.ndjson").unlink()
    assert sorted(Path().rglob("*")) == before
    assert Path("a.csv").read_text() == ROWS


@pytest.mark.parametrize(
    "form", ["./a.csv", "//{cwd}/a.csv", "file://{cwd}/a.csv", "x/../a.csv", "soft.csv", "hard.csv"]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_an_input_by_another_name_is_still_an_input(tmp_path, monkeypatch, form, swapped):
    monkeypatch.chdir(tmp_path)
    put("a.csv")
    Path("x").mkdir()
    Path("soft.csv").symlink_to("a.csv")
    os.link("a.csv", "hard.csv")
    names = ["a.csv", form.format(cwd=tmp_path)]
    first, second = reversed(names) if swapped else names
    with pytest.raises(AirflowFailException, match="is also an input"):
        rank(input_path=first, output_path=second)
    assert Path("a.csv").read_text() == ROWS


def test_path_objects_are_accepted(place):
    put("a.csv", "b.csv")
    make = ObjectStoragePath if place else Path
    for given in (make(f"{place}a.csv"), [make(f"{place}a.csv"), f"{place}b.csv"], {"path": make(f"{place}a.csv")}):
        assert rank(input_path=given, output_path=make(f"{place}out.ndjson"))["path"] == f"{place}out.ndjson"


def test_templates_are_rendered_in_path_objects(place):
    make = ObjectStoragePath if place else Path
    path = make(f"{place}{{{{ day }}}}.csv")
    operator = MovielensRankMoviesOperator(
        task_id="rank", input_path=[path, {"path": path}], output_path=path, movies_path=path
    )
    operator.render_template_fields({"day": "20"})
    meant = [*operator.input_path, operator.output_path, operator.movies_path]
    named = [str(item["path"] if isinstance(item, dict) else item) for item in meant]
    assert named == [f"{place}20.csv"] * 4


def test_a_dag_run_accepts_path_objects(run_day, airflow, tmp_path):
    STORE.open_at(tmp_path)
    attach(protocol="gs", fs=STORE)
    movies = "movieId,title\n912,Casablanca\n"
    put(str(airflow / "paths" / "movies.csv"), content=movies)
    bucket = tmp_path / "bucket" / "paths"
    put(str(bucket / "m.csv"), content=movies)
    run = run_day("paths")
    assert set(run.tasks.values()) == {"success"}, run.log
    names = ["paths_direct.csv", "kwargs.csv", "pulled.csv", "expanded_0.csv", "expanded_1.csv"]
    rankings = [(bucket / name).read_text() for name in names]
    assert "912,Casablanca,4.33" in rankings[0]
    assert set(rankings) == {(airflow / "paths" / "kwargs.csv").read_text()}


def test_a_missing_object_is_reported_by_its_url(place):
    with pytest.raises(AirflowFailException, match=rf"there is no file {place}nowhere\.csv"):
        rank(input_path=f"{place}nowhere.csv", output_path="out.csv")


@pytest.mark.parametrize("error", [PermissionError("Access Denied"), FileNotFoundError("NoSuchBucket")], ids=repr)
def test_an_object_that_a_store_refuses_is_reported_by_its_url(tmp_path, error):
    STORE.open_at(tmp_path)
    attach(protocol="gs", fs=STORE)
    put(str(tmp_path / "bucket" / "a.csv"))
    words = "Access Denied" if isinstance(error, PermissionError) else "no such bucket"
    arguments = {"input_path": "gs://bucket/a.csv", "output_path": "gs://bucket/k.csv"}
    for method, more in (
        ("isfile", {}),
        ("isdir", {"input_path": "gs://bucket/nowhere.csv"}),
        ("glob", {"input_path": "gs://bucket/*.ndjson"}),
        ("get_file", {}),
        ("put_file", {}),
    ):
        given = arguments | more
        named = re.escape(given["output_path" if method == "put_file" else "input_path"])
        STORE.refused = {method: error}
        with pytest.raises(AirflowFailException, match=f"{named}.*{words}"):
            rank(**given)
    for method in ("put_file", "pipe_file"):
        STORE.refused = {method: error}
        with pytest.raises(AirflowFailException, match=rf"gs://bucket/.*f\.csv.*{words}"):
            MovielensFetchRatingsOperator(
                task_id="fetch", output_path="gs://bucket/f.csv", start_date="2000-11-20", end_date="2000-11-21"
            ).execute({})
    STORE.refused = {}


def test_a_damaged_object_is_reported_by_its_url(place):
    put("a.csv", content="userId,movieId\n1,2\n")
    with pytest.raises(AirflowFailException) as caught:
        rank(input_path=f"{place}a.csv", output_path="out.csv")
    assert f"{place}a.csv" in str(caught.value)
    assert not place or str(caught.value).count("/a.csv") == 1


def test_a_store_without_its_provider_is_reported_with_the_package_to_install(capsys):
    url = "abfs://bucket/a.csv"
    words = r"abfs://.*install apache-airflow-providers-microsoft-azure"
    with pytest.raises(AirflowFailException, match=words):
        MovielensFetchRatingsOperator(task_id="fetch", output_path=url, conn_id="none").execute({})
    with pytest.raises(AirflowFailException, match=words):
        rank(input_path="nowhere.csv", output_path=url)
    with pytest.raises(AirflowFailException, match=words):
        rank(input_path=url, output_path="a.csv")
    capsys.readouterr()
    assert main(["rank", "--input-path", url, "--output-path", "a.csv"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "install apache-airflow-providers-microsoft-azure" in said.err


NOISY_PROVIDER = {
    "noisy/__init__.py": """
def get_provider_info():
    return {"package-name": "noisy", "name": "Noisy", "description": "-", "filesystems": ["noisy.fs"]}
""",
    "noisy/fs.py": """
import logging
from pathlib import Path

import structlog
from integration.bucket import Bucket

schemes = ["gs"]

def get_fs(conn_id, storage_options):
    return Noisy(str(Path(__file__).parents[1]))

class Noisy(Bucket):
    def isfile(self, path):
        structlog.get_logger("airflow").warning("noise of structlog")
        logging.getLogger("airflow").warning("noise of logging")
        return super().isfile(path)
""",
    "noisy-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: noisy\nVersion: 1\n",
    "noisy-1.dist-info/entry_points.txt": "[apache_airflow_provider]\nprovider_info=noisy:get_provider_info\n",
}
"""The files of an Airflow provider with a file system that logs."""


def test_stdout_holds_only_results(tmp_path):
    put(str(tmp_path / "bucket" / "a.csv"))
    for name, content in NOISY_PROVIDER.items():
        put(str(tmp_path / name), content=content)
    command = [*COMMAND, "rank", "--input-path", "gs://bucket/a.csv", "--output-path", "gs://bucket/k.ndjson"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "of 1 files ranked in gs://bucket/k.ndjson" in done.stdout
    assert "noise of structlog" in done.stderr
