"""Loads into PostgreSQL in a Dag, their lineage, and the SQL of their page in the docs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from sybil.document import Document
from sybil.parsers.markdown import CodeBlockParser

from airflow_movielens.operators import MovielensToPostgresOperator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "postgres.md"


def test_a_dag_fills_tables_each_day(airflow, run_day, warehouse):
    for day in ("2000-11-20", "2000-11-21", "2000-11-20"):
        run = run_day("warehouse", day)
        assert run.state == "success", run.log
        counts = {name: run.results["load_directly"][name] for name in ("inserted", "updated", "deleted")}
        assert counts == {"inserted": 0, "updated": 0, "deleted": 0}
    assert run.results["load"].items() >= {"rows": 1055, "inserted": 0, "start_date": "2000-11-20"}.items()
    assert len(warehouse.ratings()) == 1055 + 1475
    assert warehouse('SELECT title FROM movies WHERE "movieId" = 912') == [("Casablanca",)]
    assert [day for (day,) in warehouse("SELECT DISTINCT partition FROM best ORDER BY 1")] == [
        date(2000, 11, 20),
        date(2000, 11, 21),
    ]


def test_a_load_reports_its_file_and_its_table(warehouse, driver, tmp_path):
    path = tmp_path / "movies.csv"
    path.write_text("movieId,title\n1,Heat\n")
    load = MovielensToPostgresOperator(
        task_id="load",
        postgres_conn_id="warehouse",
        table="movies",
        content="movies",
        input_path=path,
        create_table=True,
    )
    load.execute({})
    told = load.get_openlineage_facets_on_complete(None)
    ((source,), (table,)) = told.inputs, told.outputs
    assert (source.namespace, source.name) == ("file", str(path))
    server = urlsplit(warehouse.url)
    assert table.namespace == f"postgres://127.0.0.1:{server.port}"
    assert table.name == f"{server.path[1:]}.public.movies"
    columns = {field.name: field.type for field in table.facets["schema"].fields}
    assert columns == {"movieId": "integer", "title": "text"}
    statistics = table.outputFacets["outputStatistics"]
    assert (statistics.rowCount, statistics.size, statistics.fileCount) == (1, None, None)


@pytest.fixture
def tables(warehouse, tmp_path):
    """Make the tables of the page by loads."""
    ratings = {"userId": [600], "movieId": [1], "rating": [4.5], "timestamp": [974_678_400]}
    reason = [{"movieId": 1, "rating": 4.5, "contribution": 0.25}]
    made = {"userId": [600], "rank": [1], "movieId": [2], "score": [0.5], "reasons": [reason]}
    reasons = pl.List(pl.Struct({"movieId": pl.Int32, "rating": pl.Float32, "contribution": pl.Float32}))
    whole = dict.fromkeys(("userId", "rank", "movieId"), pl.Int32)
    best = {"movieId": [1], "num_ratings": [1], "score": [4.5]}
    files = {
        "ratings": (pl.DataFrame(ratings), {"start_date": "2000-11-20", "end_date": "2000-11-21"}),
        "recommendations": (pl.DataFrame(made, {**whole, "score": pl.Float32, "reasons": reasons}), {}),
        "marts.best_by_day": (pl.DataFrame(best), {"content": "ranking", "partition": "2000-11-20"}),
    }
    warehouse("CREATE SCHEMA marts")
    for table, (rows, arguments) in files.items():
        rows.write_parquet(tmp_path / "rows.parquet")
        known = {"postgres_conn_id": "warehouse", "create_table": True, "content": table, "table": table}
        operator = MovielensToPostgresOperator(
            task_id="load", input_path=tmp_path / "rows.parquet", **known | arguments
        )
        operator.execute({})


def test_the_sql_of_the_page_runs(warehouse, tables):
    document = Document.parse(str(PAGE), CodeBlockParser(language="sql", evaluator=lambda _: None))
    warehouse("CREATE ROLE loader")
    try:
        results = [warehouse(example.parsed) for example in document]
    finally:
        warehouse("DROP OWNED BY loader")
        warehouse("DROP ROLE loader")
    assert results[-2] == [(1, 2, "1", "4.5")]
    assert warehouse("SELECT user_id, rated_at::date FROM ratings_of_users") == [(600, date(2000, 11, 20))]
