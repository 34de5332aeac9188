from __future__ import annotations

import fcntl
import gzip
import json
import os
import stat
import subprocess
import sys

import polars as pl
import pytest
from unit.moments import when_called
from unit.scripted_server import ratings

from airflow_movielens.ratings.atomic_files import create_whole, remove_dead_partials, whole_file
from airflow_movielens.ratings.locks import try_lock
from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.reading import scan_files
from airflow_movielens.ratings.schema import MOVIES, RATINGS
from airflow_movielens.ratings.writing import write_table

pytestmark = pytest.mark.slow

ENDINGS = ["json", "json.gz", "ndjson", "jsonl", "ndjson.gz", "ndjson.zst", "csv", "csv.gz", "csv.zst", "parquet"]
FRAME = pl.DataFrame(ratings(120_001), schema=RATINGS.polars_schema())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("frame", [FRAME, FRAME.head(1), FRAME.clear()], ids=["many", "one", "none"])
def test_a_written_file_reads_back_the_same(tmp_path, ending, frame):
    path = tmp_path / "deep" / f"2000-11-20.{ending}"
    write_table(frame.lazy(), path)
    assert scan_files([path], RATINGS).collect().equals(frame)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_equal_rows_give_equal_files(tmp_path, ending):
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    write_table(FRAME.lazy(), first)
    write_table(FRAME.lazy(), second)
    assert first.read_bytes() == second.read_bytes()


def test_json_is_one_array(tmp_path):
    path = tmp_path / "ratings.json"
    write_table(FRAME.head(2).lazy(), path)
    assert json.loads(path.read_text()) == ratings(2)
    write_table(FRAME.clear().lazy(), tmp_path / "none.json.gz")
    assert gzip.decompress((tmp_path / "none.json.gz").read_bytes()) == b"[]\n"


def test_several_files_are_read_in_their_order(tmp_path):
    write_table(FRAME[:10].lazy(), tmp_path / "b.csv")
    write_table(FRAME[10:30].lazy(), tmp_path / "a.parquet")
    assert scan_files([tmp_path / "b.csv", tmp_path / "a.parquet"], RATINGS).collect().equals(FRAME[:30])


@pytest.mark.parametrize(
    "name", ["ratings", "ratings.txt", "ratings.parquet.gz", "ratings.json.zst", "ratings.gz", "json"]
)
def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match=rf"cannot tell the file format of '{name}'.*use one of \.json"):
        write_table(FRAME.lazy(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_extensions_select_the_format():
    assert FileFormat.of("s3://bucket/2000-11-20.ratings.CSV.gz") == FileFormat("csv", "gzip")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("half of the new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", "userId,movieId,rating\n1,2,3.5\n", "line 1: the header lacks the columns timestamp"),
        ("r.csv", "userId,movieId,rating,timestamp\n1,x,3.5,4\n", "line 2: movieId: found 'x'"),
        ("r.csv", "userId,movieId,rating,timestamp\n1,,3.5,4\n", "line 2: movieId: found ''"),
        ("r.ndjson", '{"userId":1,"movieId":2,"rating":3.5}\n', "line 1 lacks the columns timestamp"),
        ("r.ndjson", '{"userId":1,"mov', "line 1: is not a JSON object"),
        ("r.json", '[{"userId":1,', "row 1 is cut or not JSON"),
        ("r.json.gz", "not gzip", "cannot be read as ratings in json"),
        ("r.parquet", "not parquet", "cannot be read as ratings in parquet"),
        ("r.csv", "userId,movieId,rating,timestamp\n1,2,99,4\n", r"rating: found 99.0, expected 0\.5 to 5\.0"),
        ("r.csv", "userId,movieId,rating,timestamp\n1,2,NaN,4\n", r"rating: found 'NaN', expected 0\.5 to 5\.0"),
        ("r.csv", "", "line 1: found no header"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        scan_files([path], RATINGS).collect()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_brackets_in_a_name_are_not_a_pattern(tmp_path, ending):
    write_table(FRAME[:3].lazy(), tmp_path / f"r1.{ending}")
    write_table(FRAME[3:9].lazy(), tmp_path / f"r[1].{ending}")
    assert scan_files([tmp_path / f"r[1].{ending}"], RATINGS).collect().equals(FRAME[3:9])


def test_a_file_that_is_removed_between_open_and_lock_cannot_be_locked(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with when_called(fcntl.flock, lambda _: path.unlink()):
        assert try_lock(path) is None
        assert not path.exists()
        assert try_lock(path, create=True) is None
        assert not path.exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*/none\.csv"):
        scan_files([tmp_path / "none.csv"], RATINGS)


def test_grouplens_movies_are_read_for_their_titles(tmp_path):
    path = tmp_path / "movies.csv"
    path.write_text('movieId,title,genres\n1,"Toy Story (1995)",Animation|Children\n2,,\n')
    assert scan_files([path], MOVIES, ["movieId", "title"]).collect().rows() == [(1, "Toy Story (1995)"), (2, None)]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("rows_a_part", [120_001, 50_000, 7_777])
def test_the_file_does_not_depend_on_the_parts_that_it_is_read_from(tmp_path, ending, rows_a_part):
    write_table(FRAME.lazy(), tmp_path / f"whole.{ending}")
    for number, part in enumerate(FRAME.iter_slices(rows_a_part)):
        part.write_ipc(tmp_path / f"{number:03}.arrow", compression="uncompressed")
    write_table(pl.scan_ipc(sorted(tmp_path.glob("*.arrow")), glob=False), tmp_path / f"parts.{ending}")
    assert (tmp_path / f"parts.{ending}").read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()


def test_the_file_of_a_killed_writer_is_removed_but_not_that_of_a_running_one(tmp_path):
    path = tmp_path / "r.csv"
    dead = tmp_path / f".partial-{'a' * 32}-r.csv"
    of_another = tmp_path / f".partial-{'a' * 32}-other-r.csv"
    for file in (dead, of_another):
        file.write_text("half")
    with whole_file(path) as alive:
        alive.write_text("whole")
        remove_dead_partials(path)
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted([of_another.name, alive.name])
    assert sorted(file.name for file in tmp_path.iterdir()) == [of_another.name, "r.csv"]


def test_a_file_that_is_created_whole_replaces_nothing(tmp_path):
    path = tmp_path / "deep" / "1.json"
    create_whole(path, b"first")
    with pytest.raises(FileExistsError):
        create_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_table(RATINGS.empty().lazy(), tmp_path / "r.csv")
    finally:
        os.umask(before)
    assert stat.filemode((tmp_path / "r.csv").stat().st_mode) == "-rw-r-----"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("left", [f".partial-{'0' * 32}-r.csv", f".partial-r.csv-{'0' * 16}/lock"])
def test_files_of_another_user_are_tolerated(tmp_path, left):
    theirs = tmp_path / left
    theirs.parent.mkdir(exist_ok=True)
    theirs.touch(0o600)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from airflow_movielens.client.fetch.workdirs import claimed_folder\n"
        "from airflow_movielens.ratings.atomic_files import whole_file\n"
        "folder = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.fchmod(folder, 0o777); os.fchdir(folder); os.setuid(65534)\n"
        "with claimed_folder(Path('r.csv'), '0' * 16), whole_file(Path('r.csv')) as file: file.touch()"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert theirs.exists()
    assert (tmp_path / "r.csv").exists()
