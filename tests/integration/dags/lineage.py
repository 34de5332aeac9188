"""Tasks that read an API in every way, for the lineage of each."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensRankMoviesOperator,
)

FOLDER = f"{os.environ['MOVIELENS_DATA_DIR']}/lineage"
WINDOW = {"start_date": "2000-11-20", "end_date": "2000-11-21"}

with DAG("lineage", schedule=None):
    fetch = MovielensFetchRatingsOperator.partial(task_id="fetch", conn_id="movielens").expand_kwargs(
        [{"output_path": f"{FOLDER}/20.parquet", **WINDOW}]
    )
    rank = MovielensRankMoviesOperator(
        task_id="rank", conn_id="movielens", input_path=f"{FOLDER}/*.parquet", output_path=f"{FOLDER}/top.csv"
    )
    best = {"input_path": f"{FOLDER}/20.parquet", "method": "bayesian", "movies_path": f"{FOLDER}/names.csv"}
    rank_before = MovielensRankMoviesOperator(task_id="rank_before", output_path=f"{FOLDER}/best_before.csv", **best)
    rank_best = MovielensRankMoviesOperator(
        task_id="rank_best",
        output_path=f"{FOLDER}/best.csv",
        parameters={"k": "50"},
        min_ratings=2,
        compare_to=f"{FOLDER}/best_before.csv",
        **best,
    )
    popularity = MovielensPopularityOperator(task_id="popularity", conn_id="movielens", **WINDOW)
    refused = MovielensFetchRatingsOperator(
        task_id="refused", conn_id="refused", output_path=f"{FOLDER}/never.parquet", **WINDOW
    )

    # Airflow collects hook lineage per process, and all tasks of `airflow dags test` run in one: this one comes last.
    @task(trigger_rule="all_done")
    def plain():
        with MovielensHook("movielens") as hook, MovielensHook("movielens") as other:
            titles = {movie["movieId"]: movie["title"] for movie in hook.get_movies()}
            for day in (20, 21):
                ratings = list(hook.get_ratings(f"2000-11-{day}", f"2000-11-{day + 1}", batch_size=100))
            assert ratings == list(other.get_ratings("2000-11-21", "2000-11-22"))
        with ObjectStoragePath(f"file://{FOLDER}/titles.txt").open("w") as file:
            file.write("\n".join(titles[rating["movieId"]] for rating in ratings))

    @task
    def name_movies():
        Path(f"{FOLDER}/names.csv").write_text("movieId,title\n912,Casablanca (1942)\n")

    fetch >> rank >> name_movies() >> rank_before >> rank_best >> popularity >> refused >> plain()
