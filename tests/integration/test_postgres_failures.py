"""A load into PostgreSQL that fails, is killed or has to wait: the table is as before, and a sentence says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException

from airflow_movielens.client import RetryableError
from airflow_movielens.operators import MovielensToPostgresOperator

FIRST_SECOND = 974_678_400
DAYS = [{"start_date": f"2000-11-{day}", "end_date": f"2000-11-{day + 1}"} for day in (20, 21)]
BEFORE = (1, 1, 1.0, FIRST_SECOND)
LOAD = """
import sys
from airflow_movielens.operators import MovielensToPostgresOperator
arguments = {"postgres_conn_id": "warehouse", "table": "ratings", "input_path": sys.argv[1]}
MovielensToPostgresOperator(task_id="load", start_date=sys.argv[2], end_date=sys.argv[3], **arguments).execute({})
"""


def load(path, day=DAYS[0], conn_id="warehouse", **arguments):
    operator = MovielensToPostgresOperator(
        task_id="load", postgres_conn_id=conn_id, table="ratings", input_path=str(path), **day, **arguments
    )
    return operator.execute({})


@pytest.fixture
def files(tmp_path):
    """Write the ratings of two days into a file each."""
    for number in range(2):
        rows = [(user, 7, 3.5, FIRST_SECOND + number * 86_400 + user) for user in range(1, 51)]
        schema = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
        pl.DataFrame(rows, schema, orient="row").write_parquet(tmp_path / f"{number}.parquet")
    return [tmp_path / "0.parquet", tmp_path / "1.parquet"]


@pytest.fixture(params=["an empty window", "a window with a rating"])
def table(warehouse, request):
    """Make the table, and return what its window has."""
    warehouse(
        'CREATE TABLE ratings ("userId" integer, "movieId" integer, rating real NOT NULL, "timestamp" bigint, '
        'PRIMARY KEY ("timestamp", "userId", "movieId"))'
    )
    if request.param == "an empty window":
        return []
    warehouse(f"INSERT INTO ratings VALUES {BEFORE}")
    return [BEFORE]


def test_a_killed_process_leaves_the_table_as_it_was(warehouse, table, files):
    with warehouse.slow_rows():
        command = [sys.executable, "-c", LOAD, files[0], *DAYS[0].values()]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        warehouse.wait_until(lambda: warehouse.waiting() == [42], seconds=60)
        process.kill()
        process.wait()
    warehouse.wait_until(lambda: not warehouse.others())
    assert warehouse.ratings() == table
    load(files[0])
    assert warehouse.ratings() == pl.read_parquet(files[0]).rows()


def test_a_lost_connection_is_worth_a_retry(warehouse, table, files, driver):
    with ThreadPoolExecutor() as pool, warehouse.slow_rows():
        loading = pool.submit(load, files[0])
        warehouse.wait_until(lambda: warehouse.waiting() == [42])
        warehouse(f"SELECT pg_terminate_backend({warehouse.others()[0]})")
        error = loading.exception(timeout=20)
    assert isinstance(error, RetryableError)
    assert "PostgreSQL" in str(error)
    assert "warehouse" in str(error)
    assert warehouse.ratings() == table


def test_a_stopped_task_cancels_its_statement(warehouse, table, files, driver):
    def stop(*_):
        raise SystemExit("The task was asked to stop")  # as `on_kill` does

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with warehouse.slow_rows():

            def interrupt():
                warehouse.wait_until(lambda: warehouse.waiting() == [42])
                os.kill(os.getpid(), signal.SIGUSR1)

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(SystemExit):
                load(files[0])
            thread.join()
            # It ends although the trigger still waits.
            warehouse.wait_until(lambda: not warehouse.others(), seconds=5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert warehouse.ratings() == table


def test_loads_of_one_window_wait_for_each_other_and_others_do_not(warehouse, table, files, driver, monkeypatch):
    extra = {"options": "-c default_transaction_isolation=serializable"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.airflow_connection(extra=extra))
    with ThreadPoolExecutor() as pool, warehouse.slow_rows():
        first = pool.submit(load, files[0])
        warehouse.wait_until(lambda: warehouse.waiting() == [42])
        same, other = pool.submit(load, files[0]), pool.submit(load, files[1], DAYS[1])
        warehouse.wait_until(lambda: len(warehouse.waiting()) == 3)
        # Rows of both days wait for the trigger, and a load for the one of the same day.
        assert warehouse.waiting().count(42) == 2
        long = {"start_date": "2000-11-01", "end_date": "2000-12-31"}
        both = pool.submit(load, files[0].parent / "*.parquet", long)
        warehouse.wait_until(lambda: len(warehouse.waiting()) == 4)
        assert warehouse.waiting().count(42) == 2
    assert first.result()["inserted"] == 50
    assert other.result()["inserted"] == 50
    for again in (same, both):
        assert again.result().items() >= {"inserted": 0, "updated": 0, "deleted": 0}.items()
    assert warehouse.ratings() == [row for file in files for row in pl.read_parquet(file).rows()]


def test_two_loads_that_create_the_table(warehouse, files):
    warehouse("SELECT pg_advisory_lock(42)")
    warehouse(
        "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(42); END $$"
    )
    warehouse("CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slow()")
    with ThreadPoolExecutor() as pool:
        loads = [pool.submit(load, file, day, create_table=True) for file, day in zip(files, DAYS, strict=True)]
        warehouse.wait_until(lambda: len(warehouse.waiting()) == 2)
        warehouse("SELECT pg_advisory_unlock(42)")
        assert [done.result()["inserted"] for done in loads] == [50, 50]
    assert len(warehouse.ratings()) == 100


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("state", "kind"),
    [("40P01", RetryableError), ("40001", RetryableError), ("53100", RetryableError), ("23514", AirflowFailException)],
)
def test_an_error_of_the_server_is_retried_if_that_can_help(warehouse, table, files, state, kind):
    raising = f"BEGIN RAISE SQLSTATE '{state}' USING MESSAGE = 'it happened', DETAIL = 'Of late.'; END"
    warehouse(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {raising} $$")
    warehouse("CREATE TRIGGER fail AFTER INSERT ON ratings FOR EACH ROW EXECUTE FUNCTION fail()")
    message = rf"PostgreSQL of the connection warehouse refused: it happened\. Of late \({state}\)"
    with pytest.raises(kind, match=message):
        load(files[0])
    assert warehouse.ratings() == table


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": "n0t-the-p@ssword"}, "password authentication failed for user"),
        ({"login": "nobody"}, "password authentication failed"),
        ({"schema": "nowhere"}, 'database "nowhere" does not exist'),
        ({"extra": {"sslmode": "require"}}, "server does not support SSL"),
        ({"extra": {"sslmode": "sometimes"}}, "invalid sslmode value"),
        ({"extra": {"bogus": "1"}}, "bogus"),
    ],
)
def test_a_refused_connection_is_one_sentence(warehouse, files, monkeypatch, changes, message):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.airflow_connection(**changes))
    with pytest.raises(AirflowFailException, match=message) as refused:
        load(files[0])
    text = str(refused.value)
    assert "by the connection warehouse: " in text
    assert "\n" not in text
    for secret in ("n0t-the-p@ssword", urlsplit(warehouse.url).password):
        assert secret not in text


@pytest.mark.parametrize("changes", [{"port": 1}, {"host": "nowhere.invalid"}])
def test_a_server_that_cannot_be_reached_is_worth_a_retry(warehouse, files, driver, monkeypatch, changes):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.airflow_connection(**changes))
    with pytest.raises(RetryableError, match="PostgreSQL cannot be reached by the connection warehouse: "):
        load(files[0])


def test_a_missing_connection_is_named(files):
    with pytest.raises(AirflowFailException, match=r"elsewhere.*create it, or set AIRFLOW_CONN_"):
        load(files[0], conn_id="elsewhere")


def test_a_missing_provider_is_named_before_anything_is_fetched(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.postgres.hooks.postgres", None)
    closed = {"conn_type": "movielens", "host": "http://127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_CLOSED", json.dumps(closed))
    operator = MovielensToPostgresOperator(
        task_id="load", postgres_conn_id="warehouse", table="ratings", movielens_conn_id="closed", **DAYS[0]
    )
    with pytest.raises(AirflowFailException, match=r"install airflow-movielens\[postgres\]"):
        operator.execute({})


def test_a_role_needs_few_rights(warehouse, files, monkeypatch):
    name = f"loader_{time.monotonic_ns()}"
    warehouse(f"CREATE ROLE {name} LOGIN PASSWORD 'l0ader'")
    warehouse("CREATE SCHEMA facts")
    table = (
        '"userId" int, "movieId" int, rating real, "timestamp" bigint, PRIMARY KEY ("timestamp", "userId", "movieId")'
    )
    warehouse(f"CREATE TABLE facts.ratings ({table})")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.airflow_connection(login=name, password="l0ader"))

    def loaded():
        operator = MovielensToPostgresOperator(
            task_id="load", postgres_conn_id="warehouse", table="facts.ratings", input_path=str(files[0]), **DAYS[0]
        )
        return operator.execute({})

    try:
        for right in ("USAGE ON SCHEMA facts", "SELECT, INSERT, UPDATE, DELETE ON facts.ratings"):
            with pytest.raises(
                AirflowFailException, match=r"permission denied for (schema facts|table ratings) \(42501\)"
            ):
                loaded()
            warehouse(f"GRANT {right} TO {name}")
        assert loaded()["inserted"] == 50
        assert loaded()["inserted"] == 0
    finally:
        warehouse(f"DROP OWNED BY {name}")
        warehouse(f"DROP ROLE {name}")


def test_settings_of_the_connection_do_not_matter(warehouse, table, files, driver, monkeypatch):
    extra = {"cursor": "dictcursor", "options": "-c search_path=pg_catalog,public"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.airflow_connection(extra=extra))
    assert load(files[0])["rows"] == 50
    assert load(files[0])["inserted"] == 0
