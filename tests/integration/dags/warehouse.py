"""Tables of PostgreSQL that are filled each day."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensRankMoviesOperator,
    MovielensToPostgresOperator,
)

FOLDER = f"{os.environ['MOVIELENS_DATA_DIR']}/warehouse"
INTO = {"postgres_conn_id": "warehouse", "create_table": True}

with DAG("warehouse", schedule="@daily"):
    fetch = MovielensFetchRatingsOperator(
        task_id="fetch", conn_id="movielens", output_path=f"{FOLDER}/{{{{ run_id | replace(':', '') }}}}.parquet"
    )
    load = MovielensToPostgresOperator(task_id="load", table="ratings", input_path=fetch.output, **INTO)
    load_movies = MovielensToPostgresOperator(
        task_id="load_movies", table="movies", movielens_conn_id="movielens", content="movies", **INTO
    )
    rank = MovielensRankMoviesOperator(
        task_id="rank", input_path=fetch.output, output_path=f"{FOLDER}/best.csv", method="bayesian"
    )
    load_ranking = MovielensToPostgresOperator(
        task_id="load_ranking",
        table="best",
        input_path=rank.output,
        content="ranking",
        partition="{{ macros.ds_add(ds, -1) }}",
        **INTO,
    )
    load_directly = MovielensToPostgresOperator(
        task_id="load_directly", table="ratings", movielens_conn_id="movielens", **INTO
    )
    load >> load_movies >> load_ranking >> load_directly
