"""The catalogue of a data root, in a local folder and on object storage that a folder simulates."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from integration.bucket import ATOMIC, ATOMIC_URL, atomic_bucket_at
from unit.catalogue_processes import add_records, record_of
from unit.warm_processes import CONTEXT

from airflow_movielens.client import FatalError
from airflow_movielens.storage.catalogue import Catalogue, Movie
from airflow_movielens.storage.catalogue.folder import catalogue_folder


@pytest.fixture(params=["local", "bucket"])
def place(request, tmp_path):
    """Return a data root, and the local folder that its catalogue lies in."""
    if request.param == "local":
        return str(tmp_path), tmp_path / ".movielens-catalogue"
    return ATOMIC_URL, atomic_bucket_at(tmp_path) / ".movielens-catalogue"


@pytest.fixture
def catalogue(place):
    return Catalogue(place[0])


@pytest.fixture
def folder(place):
    return place[1]


def entries_of(folder):
    return sorted(folder.glob("fetch/2015-03/*.json"))


def test_records_are_found_by_kind_and_month(catalogue):
    late = record_of(1, at="2026-11-30T02:00:00Z", rows=5)
    ranking = record_of(0, "ranking", end_date="2015-05-01")
    trained = record_of(0, "training", at="2026-11-29T03:00:00Z")
    april = record_of(0, start_date="2015-04-09")
    for record in (late, record_of(0), april, ranking, trained):
        catalogue.add(record)
    assert catalogue.records("fetch", ["2015-03"]).records == [record_of(0), late]
    assert catalogue.records("fetch").records == [record_of(0), april, late]
    assert catalogue.months("fetch") == ["2015-03", "2015-04"]
    assert catalogue.records("ranking", ["2015-04"]).records == [ranking]
    assert catalogue.months("training") == ["2026-11"]
    assert catalogue.records("fetch", ["2001-01"]).records == catalogue.records("promotion").records == []
    assert catalogue.months("evaluation") == []


def test_a_failure_without_a_window_belongs_to_the_month_in_which_it_happened(catalogue):
    failed = replace(record_of(0), succeeded=False, error="The API is not there.", task=None, facts={})
    catalogue.add(failed)
    assert catalogue.months("fetch") == ["2026-11"]
    assert catalogue.records("fetch").records == [failed]


def test_the_records_of_a_run_are_found_without_the_others(catalogue):
    first, other = record_of(0), record_of(1)
    ranked = record_of(0, "ranking", end_date="2015-03-02")
    for record in (first, other, ranked):
        catalogue.add(record)
    found = catalogue.records_of_run("movielens", first.task.run_id)
    assert sorted(found.records, key=lambda record: record.kind) == [first, ranked]
    assert catalogue.records_of_run("movielens", "another").records == []


def test_a_path_keeps_its_last_20_records_of_a_month(catalogue, folder):
    days = [record_of(0, path="/data/a", at=f"2026-11-{day:02}T02:00:00Z") for day in range(1, 26)]
    other = record_of(1, path="/data/b", at="2026-10-01T02:00:00Z")
    for record in (other, *days[::-1]):
        catalogue.add(record)
    assert catalogue.records("fetch").records == [other, *days[5:]]
    assert len(entries_of(folder)) == 21
    assert catalogue.records_of_run("movielens", days[0].task.run_id).records == days[5:]


def test_entries_that_may_not_be_deleted_stay_outside_the_index(tmp_path):
    folder = atomic_bucket_at(tmp_path)
    ATOMIC.refused = {"rm_file": PermissionError("delete is not allowed")}
    catalogue = Catalogue(ATOMIC_URL)
    for day in range(1, 24):
        catalogue.add(record_of(0, path="/data/a", at=f"2026-11-{day:02}T02:00:00Z"))
    assert len(catalogue.records("fetch").records) == 20
    assert len(entries_of(folder / ".movielens-catalogue")) == 23


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"layout": 99}', b'{"layout": 1, "entries": {"a": {}}}'])
def test_a_damaged_index_is_reported_and_the_next_record_repairs_it(catalogue, folder, place, content):
    catalogue.add(record_of(0))
    (folder / "fetch/2015-03.json").write_bytes(content)
    found = catalogue.records("fetch")
    assert found.records == []
    (problem,) = found.problems
    assert "fetch/2015-03" in problem
    assert " is damaged" in problem
    assert f"movielens catalogue rebuild {place[0]}" in problem
    catalogue.add(record_of(1))
    assert catalogue.records("fetch").records == [record_of(0), record_of(1)]
    assert catalogue.records("fetch").problems == []


def test_a_damaged_entry_is_reported_until_it_is_whole_again(catalogue, folder):
    catalogue.add(record_of(0))
    (entry,) = entries_of(folder)
    content = entry.read_bytes()
    (folder / "fetch/2015-03.json").unlink()
    entry.write_bytes(content[:-9])
    catalogue.add(record_of(1))
    found = catalogue.records("fetch")
    assert found.records == [record_of(1)]
    assert f"fetch/2015-03/{entry.name} is damaged" in found.problems[0]
    entry.write_bytes(content)
    catalogue.add(record_of(2))
    assert catalogue.records("fetch") == Catalogue(catalogue.root).records("fetch", ["2015-03"])
    assert catalogue.records("fetch").problems == []
    assert len(catalogue.records("fetch").records) == 3


def test_a_damaged_copy_of_a_run_is_reported(catalogue, folder):
    catalogue.add(record_of(0))
    (copy,) = folder.glob("runs/*/*.json")
    copy.write_bytes(b"{}")
    found = catalogue.records_of_run("movielens", record_of(0).task.run_id)
    assert found.records == []
    assert f"{copy.name} is damaged" in found.problems[0]


def test_a_writer_that_replaces_the_index_with_an_older_one_repairs_it(tmp_path):
    """While one writer is about to write the index, others add records and write it, up to three times."""
    atomic_bucket_at(tmp_path)
    catalogue = Catalogue(ATOMIC_URL)
    others = [record_of(number) for number in (1, 2, 3)]

    def before_put(path):
        if path.endswith("fetch/2015-03.json") and others:
            ATOMIC.before_put = lambda _: None
            catalogue.add(others.pop(0))
            ATOMIC.before_put = before_put

    ATOMIC.before_put = before_put
    catalogue.add(record_of(0))
    assert others == []
    assert catalogue.records("fetch").records == [record_of(number) for number in range(4)]


def test_threads_that_add_at_once_lose_no_record(catalogue):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(catalogue.add, map(record_of, range(80))))
    assert len(catalogue.records("fetch").records) == 80


def test_processes_that_add_at_once_lose_no_record(tmp_path):
    barrier = CONTEXT.Barrier(6)
    writers = [CONTEXT.Process(target=add_records, args=(str(tmp_path), 8 * number, 8, barrier)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 6
    records = Catalogue(str(tmp_path)).records("fetch").records
    assert {record.path for record in records} == {record_of(number).path for number in range(48)}
    hidden = [path for path in (tmp_path / ".movielens-catalogue").rglob(".*") if path.is_file()]
    assert hidden == []


MOVIES = pl.DataFrame(
    {
        "movieId": [2, 1, 3],
        "title": ["Jumanji", "Toy Story", None],
        "year": [1995, None, 1990],
        "genres": ["Adventure|Children", "(no genres listed)", "Drama"],
    }
)


def test_movies_are_saved_if_they_differ(catalogue, folder):
    assert catalogue.movies() == {}
    catalogue.save_movies(MOVIES)
    saved = {1: Movie("Toy Story", None, []), 2: Movie("Jumanji", 1995, ["Adventure", "Children"])}
    assert catalogue.movies() == saved
    before = (folder / "movies.json").stat().st_mtime_ns
    catalogue.save_movies(MOVIES)
    catalogue.save_movies(MOVIES.clear())
    catalogue.save_movies(MOVIES.select("movieId", "title"))
    assert (folder / "movies.json").stat().st_mtime_ns == before
    catalogue.save_movies(MOVIES.with_columns(title=pl.lit("Other")).head(1).drop("genres"))
    assert catalogue.movies() == {2: Movie("Other", 1995, ["Adventure", "Children"])}


def test_damaged_movies_are_unknown_until_they_are_saved_again(catalogue, folder, caplog):
    catalogue.save_movies(MOVIES)
    (folder / "movies.json").write_bytes(b'["a"]')
    assert catalogue.movies() == {}
    assert "movies.json is damaged" in caplog.text
    catalogue.save_movies(MOVIES)
    assert len(catalogue.movies()) == 2


def test_refused_access_names_the_file(tmp_path):
    atomic_bucket_at(tmp_path)
    catalogue = Catalogue(ATOMIC_URL)
    catalogue.add(record_of(0))
    ATOMIC.refused = {"cat_file": PermissionError("Forbidden")}
    with pytest.raises(FatalError, match=r"s3a://bucket/data/.movielens-catalogue/fetch/2015-03.json cannot be read"):
        catalogue.records("fetch")


def test_a_root_that_cannot_be_listed_is_an_error_not_an_empty_catalogue(tmp_path):
    (tmp_path / ".movielens-catalogue").write_text("a file")
    with pytest.raises(NotADirectoryError):
        Catalogue(str(tmp_path)).records("fetch")


def test_reading_imports_nothing_heavy(tmp_path):
    code = f"""
import sys
from airflow_movielens.storage.catalogue import Catalogue
catalogue = Catalogue({str(tmp_path)!r})
catalogue.records("fetch"), catalogue.records_of_run("a", "b"), catalogue.movies()
assert not {{"polars", "numpy", "airflow", "requests"}} & set(sys.modules), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_layout_is_as_documented(catalogue, folder):
    catalogue.add(record_of(0, rows=7))
    index = json.loads((folder / "fetch/2015-03.json").read_bytes())
    (entry,) = entries_of(folder)
    assert index == {"layout": 1, "entries": {entry.name: json.loads(entry.read_bytes())}}
    assert entry.name.startswith("20261129T020000Z-")
    (copy,) = folder.glob("runs/*/*")
    assert copy.name == entry.name
    assert copy.read_bytes() == entry.read_bytes()
    assert Path(json.loads(copy.read_bytes())["path"]).name == "2015-03-01-0.parquet"


def test_files_are_read_in_their_order_however_many_there_are(place):
    folder = catalogue_folder(place[0])
    names = [f"fetch/{2000 + number}-01.json" for number in range(20)]
    for name in names[:-1]:
        folder.write(name, name.encode())
    assert list(folder.read_all(names)) == [name.encode() for name in names[:-1]] + [None]
