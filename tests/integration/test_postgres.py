"""Ratings in a table of PostgreSQL: which rows a load replaces, and what it writes."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from unit.scripted_server import page_of, serve

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensToPostgresOperator
from airflow_movielens.postgres.connection import connected

DAY = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
NEXT_DAY = {"start_date": "2000-11-21", "end_date": "2000-11-22"}
FIRST_SECOND = 974_678_400
KEYED = (
    'CREATE TABLE ratings ("userId" integer NOT NULL, "movieId" integer NOT NULL, rating real NOT NULL, '
    '"timestamp" bigint NOT NULL, PRIMARY KEY ("timestamp", "userId", "movieId"))'
)


def load(path=None, table="ratings", **arguments):
    operator = MovielensToPostgresOperator(
        task_id="load", postgres_conn_id="warehouse", table=table, input_path=path, **arguments
    )
    return operator.execute({})


@pytest.fixture(scope="session")
def fetched(tmp_path_factory, api):
    """Fetch two days into files, and return their folder."""
    folder = tmp_path_factory.mktemp("fetched")
    connection = {"conn_type": "movielens", "host": api.base_url, "login": api.user, "password": api.password}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_MOVIELENS_DEFAULT", json.dumps(connection))
        for name, window in (("20", DAY), ("21", NEXT_DAY)):
            operator = MovielensFetchRatingsOperator(task_id="fetch", output_path=folder / f"{name}.parquet", **window)
            operator.execute({})
    return folder


@pytest.fixture
def files(fetched, tmp_path):
    """Copy the files of two days, for a test to change them."""
    return shutil.copytree(fetched, tmp_path / "files")


def rows_of(*paths):
    return [row for path in paths for row in pl.read_parquet(path).rows()]


def changed(path, change):
    """Write a changed file beside the given one, and return its path."""
    target = path.with_stem(f"{path.stem}-changed")
    change(pl.read_parquet(path)).write_parquet(target)
    return target


def test_a_missing_table_is_created_with_its_key(warehouse, fetched, driver):
    result = load(fetched / "20.parquet", create_table=True)
    counts = {"rows": 1055, "inserted": 1055, "updated": 0, "deleted": 0}
    assert result == {"table": "public.ratings", **DAY, **counts}
    assert warehouse.ratings() == rows_of(fetched / "20.parquet")
    (definition,) = warehouse("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ratings_pkey'")
    assert definition == ('PRIMARY KEY ("timestamp", "userId", "movieId")',)


def test_without_create_table_a_missing_table_is_an_error(warehouse, fetched):
    with pytest.raises(
        AirflowFailException, match=r"there is no table public\.ratings: create it, or set create_table"
    ):
        load(fetched / "20.parquet")
    assert warehouse("SELECT relname FROM pg_class WHERE relname = 'ratings'") == []


def test_a_window_is_replaced_and_other_days_are_not(warehouse, files, driver):
    load(files / "2?.parquet", create_table=True)
    later = changed(
        files / "20.parquet",
        lambda rows: pl.concat(
            [
                rows.slice(1, 99),
                rows.slice(100, 10).with_columns(rating=5.5 - pl.col("rating")),
                rows.slice(120),
                rows.head(1).with_columns(pl.col("timestamp") + 1),
            ]
        ),
    )
    result = load(later, **DAY)
    assert result.items() >= {"rows": 1045, "inserted": 1, "updated": 10, "deleted": 11}.items()
    expected = sorted(rows_of(later, files / "21.parquet"), key=lambda row: (row[3], row[0], row[1]))
    assert warehouse.ratings() == expected


def test_the_same_rows_again_write_nothing(warehouse, fetched, driver):
    load(fetched / "2?.parquet", create_table=True)
    rows, before = warehouse("SELECT ctid, xmin, xmax FROM ratings"), warehouse.written()
    result = load(fetched / "20.parquet")
    assert result.items() >= {"rows": 1055, "inserted": 0, "updated": 0, "deleted": 0}.items()
    assert warehouse.written() == before
    assert warehouse("SELECT ctid, xmin, xmax FROM ratings") == rows


def test_a_rating_that_the_api_no_longer_has_disappears(warehouse, monkeypatch):
    rows = [{"userId": user, "movieId": 7, "rating": 3.5, "timestamp": FIRST_SECOND + user} for user in range(1, 9)]
    with serve(lambda _path, query, _number: page_of(rows, query)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps({"conn_type": "movielens", "host": server.base_url}))
        source = {"movielens_conn_id": "source", **DAY}
        assert load(create_table=True, **source)["inserted"] == 8
        del rows[3]
        assert load(**source).items() >= {"rows": 7, "inserted": 0, "updated": 0, "deleted": 1}.items()
    assert [user for user, *_ in warehouse.ratings()] == [1, 2, 3, 5, 6, 7, 8]


def test_a_day_without_ratings_empties_its_window(warehouse, files):
    load(files / "2?.parquet", create_table=True)
    empty = changed(files / "20.parquet", lambda rows: rows.clear())
    assert load(empty, **DAY)["deleted"] == 1055
    assert warehouse.ratings() == rows_of(files / "21.parquet")


def test_the_window_is_that_of_the_fetch_or_of_the_run(warehouse, files):
    assert load([files / "21.parquet", files / "20.parquet"], create_table=True)["end_date"] == "2000-11-22"
    shutil.copy(files / "20.parquet", files / "copy.parquet")
    with pytest.raises(AirflowFailException, match="the context has no run to derive the days from"):
        load(files / "copy.parquet")
    load(files / "copy.parquet", start_date="2000-11-19", end_date="2000-11-21")


def test_files_on_object_storage_bring_their_windows(warehouse, fetched):
    bucket = MemoryFileSystem()
    attach(protocol="memory", fs=bucket)
    bucket.put(str(fetched), "memory://warehouse/days", recursive=True)
    result = load("memory://warehouse/days/*.parquet", create_table=True)
    assert result.items() >= {"start_date": "2000-11-20", "end_date": "2000-11-22", "rows": 1055 + 1475}.items()


def test_a_changed_file_is_not_that_of_its_manifest(warehouse, files):
    pl.read_parquet(files / "20.parquet").head(3).write_parquet(files / "20.parquet")
    with pytest.raises(AirflowFailException, match="the context has no run to derive the days from"):
        load(files / "20.parquet", create_table=True)


def test_ratings_outside_the_window_are_an_error(warehouse, fetched, driver):
    warehouse(KEYED)
    with pytest.raises(
        AirflowFailException, match=r"a rating of 2000-11-21 00:49:06 UTC .* lies outside \[2000-11-20, 2000-"
    ):
        load(fetched / "2?.parquet", **DAY)
    assert warehouse.ratings() == []


@pytest.mark.parametrize("state", ["missing", "empty", "full"])
def test_a_rating_that_is_there_twice_is_an_error(warehouse, files, state):
    if state != "missing":
        warehouse(KEYED)
    if state == "full":
        load(files / "20.parquet")
    twice = changed(files / "20.parquet", lambda rows: pl.concat([rows, rows.tail(1).with_columns(userId=1), rows.tail(1).with_columns(userId=1)]))  # fmt: skip
    key = r'Key \("timestamp", "userId", "movieId"\)=\(974\d+, 1, \d+\) (already exists|is duplicated)'
    with pytest.raises(AirflowFailException, match=f"{key}.*: the input has a row twice, or another program wrote it"):
        load(twice, create_table=True, **DAY)
    if state == "missing":
        assert warehouse("SELECT to_regclass('ratings')") == [(None,)]
    else:
        assert warehouse.ratings() == (rows_of(files / "20.parquet") if state == "full" else [])


def test_wider_types_and_further_columns_are_kept(warehouse, fetched, driver):
    warehouse(
        'CREATE TABLE ratings ("timestamp" bigint, id bigint GENERATED ALWAYS AS IDENTITY, "movieId" bigint, '
        '"userId" bigint, rating numeric(2,1) NOT NULL, note text, loaded_at timestamptz NOT NULL DEFAULT now(), '
        'PRIMARY KEY ("userId", "movieId", "timestamp"))'
    )
    assert load(fetched / "20.parquet")["inserted"] == 1055
    warehouse("UPDATE ratings SET note = 'checked'")
    before = warehouse.written()
    assert load(fetched / "20.parquet")["rows"] == 1055
    assert warehouse.written() == before
    assert warehouse.ratings() == rows_of(fetched / "20.parquet")


def test_a_table_that_is_partitioned_by_time(warehouse, files):
    warehouse(f'{KEYED} PARTITION BY RANGE ("timestamp")')
    for name, start in (("a", FIRST_SECOND), ("b", FIRST_SECOND + 86_400)):
        warehouse(f"CREATE TABLE {name} PARTITION OF ratings FOR VALUES FROM ({start}) TO ({start + 86_400})")
    load(files / "2?.parquet")
    later = changed(files / "21.parquet", lambda rows: rows.slice(1))
    assert load(later, **NEXT_DAY)["deleted"] == 1
    assert warehouse.ratings() == rows_of(files / "20.parquet", later)


def test_the_hook_uses_the_driver(warehouse, driver):
    with connected("warehouse") as database:
        assert type(database._connection).__module__.partition(".")[0] == driver


@pytest.mark.parametrize("table", ['100 % "mine"', "Ratings", "facts.select; DROP TABLE x--"])
def test_names_are_taken_as_they_are_written(warehouse, fetched, driver, table):
    warehouse("CREATE SCHEMA facts")
    for _ in range(2):
        load(fetched / "20.parquet", table, create_table=True)
    *schema, name = table.split(".")
    found = warehouse("SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind = 'r' AND oid > 16384 "
                      "AND relnamespace::regnamespace::text IN ('public', 'facts')")  # fmt: skip
    assert found == [((schema or ["public"])[0], name)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('"userId" int, "movieId" int, rating real', r"the table public\.ratings has no column timestamp, only userId, "),
        ('"userId" int, "movieId" int, rating text, "timestamp" bigint', "the column rating .* has the type text, expected"),
        ('"userId" int, "movieId" int, rating numeric(3,0), "timestamp" bigint', r"type numeric\(3,0\), expected real or"),
        ('"userId" int, "movieId" int, rating real, "timestamp" int', "timestamp .* has the type integer, expected bigint"),
        ('"userId" int, "movieId" int, rating real, "timestamp" bigint, x int NOT NULL', "has the column x, which is NOT NULL"),
        ('"userId" int, "movieId" int, rating real, "timestamp" bigint', "has no primary key of the columns timestamp, "),
        (
            '"userId" int, "movieId" int, rating real, "timestamp" bigint, UNIQUE ("userId", "movieId", "timestamp")',
            r'ALTER TABLE "public"\."ratings" ADD PRIMARY KEY \("timestamp", "userId", "movieId"\)',
        ),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused(warehouse, fetched, columns, message):
    warehouse(f"CREATE TABLE ratings ({columns})")
    with pytest.raises(AirflowFailException, match=message):
        load(fetched / "20.parquet", create_table=True)


def test_an_api_is_not_asked_for_rows_that_do_not_fit(warehouse, monkeypatch):
    warehouse("CREATE VIEW ratings AS SELECT 1 AS rating")
    with serve(lambda _path, query, _number: page_of([], query)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps({"conn_type": "movielens", "host": server.base_url}))
        with pytest.raises(AirflowFailException, match=r"public\.ratings is no table, but a view"):
            load(movielens_conn_id="source", **DAY)
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either input_path, a file, or movielens_conn_id"),
        ({"path": "a.csv", "movielens_conn_id": "movielens"}, "give either input_path"),
        ({"path": "a.csv", "content": "users"}, "content is 'users': give one of ratings, movies, ranking, recommendations"),
        ({"movielens_conn_id": "movielens", "content": "ranking"}, "an API has no ranking: give input_path"),
        ({"path": "a.csv", "partition": "2000-11-20"}, "ratings have no partition"),
        ({"path": "a.csv", "content": "movies", **DAY}, "start_date and end_date are for ratings"),
        ({"path": "a.csv", "content": "movies", "partition": "soon"}, "partition 'soon' is not a day"),
        ({"path": "a.csv", "table": "a.b.c"}, r"table is 'a\.b\.c': give a table or schema\.table"),
        ({"path": "a.csv", "table": "x" * 64}, "of at most 63 bytes"),
        ({"path": "nowhere/*.csv"}, r"no file matches nowhere/\*\.csv"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_go_together(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("movieId,title\n1,Heat\n")
    with pytest.raises(AirflowFailException, match=message):
        load(**arguments)
