"""Rank a few ratings, from one file to another, with the operator."""

import json
from pathlib import Path

from airflow_movielens.operators import MovielensRankMoviesOperator

ratings = [{"userId": user, "movieId": 7, "rating": 4.5, "timestamp": 974_808_000} for user in (1, 2, 3)]
Path("ratings.json").write_text(json.dumps(ratings))
rank = MovielensRankMoviesOperator(task_id="rank", input_path="ratings.json", output_path="ranking.csv")
rank.execute({})
print(Path("ranking.csv").read_text())
