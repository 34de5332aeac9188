"""Paths as objects: direct, templated, mapped, and through XCom."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

FOLDER = Path(os.environ["MOVIELENS_DATA_DIR"]) / "paths"
BUCKET = ObjectStoragePath("gs://bucket/paths")
MOVIES = FOLDER / "movies.csv"
DAY = {"start_date": "2000-11-20", "end_date": "2000-11-21"}

with DAG(dag_id="paths", start_date=datetime(2000, 1, 1), schedule=None):
    templated = MovielensFetchRatingsOperator(task_id="templated", output_path=FOLDER / "{{ dag.dag_id }}.csv", **DAY)
    mapped = MovielensFetchRatingsOperator.partial(task_id="mapped").expand_kwargs(
        [{"output_path": path, **DAY} for path in (FOLDER / "mapped.parquet", BUCKET / "mapped.csv")]
    )
    direct = MovielensRankMoviesOperator(
        task_id="direct",
        input_path=[BUCKET / "mapped.csv", FOLDER / "paths.csv", {"path": FOLDER / "mapped.parquet"}],
        output_path=BUCKET / "{{ dag.dag_id }}_direct.csv",
        movies_path=MOVIES,
    )
    with_kwargs = MovielensRankMoviesOperator.partial(task_id="with_kwargs").expand_kwargs(
        [
            {"input_path": BUCKET / "mapped.csv", "output_path": FOLDER / "kwargs.csv", "movies_path": MOVIES},
            {"input_path": FOLDER / "*.parquet", "output_path": BUCKET / "kwargs.csv", "movies_path": BUCKET / "m.csv"},
        ]
    )

    @task(multiple_outputs=True)
    def pushed():
        """Push paths by their names."""
        return {"input": BUCKET / "mapped.csv", "output": BUCKET / "pulled.csv"}

    @task
    def outputs():
        """Push paths to map over."""
        return [BUCKET / "expanded_0.csv", BUCKET / "expanded_1.csv"]

    paths = pushed()
    pulled = MovielensRankMoviesOperator(
        task_id="pulled", input_path=paths["input"], output_path=paths["output"], movies_path=MOVIES
    )
    expanded = MovielensRankMoviesOperator.partial(
        task_id="expanded", input_path=mapped.output, movies_path=BUCKET / "m.csv"
    ).expand(output_path=outputs())
    [templated, mapped] >> direct
    mapped >> [with_kwargs, pulled]
