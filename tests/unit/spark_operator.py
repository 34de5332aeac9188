"""The operators on both engines: ``python spark_operator.py FOLDER CONN_ID`` writes what they return."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
from unit.ranking_engines import FIRST, awkward_ratings

from airflow_movielens.operators import MovielensRankMoviesOperator, MovielensTrainOperator
from airflow_movielens.recommending.registry import ModelRegistry

CASES = {"genres.csv": {"method": "bayesian", "by": "genre"}, "now.json": {"method": "trending"}, "mean.parquet": {}}
"""What each ranking is of; `mean` is the default."""


def write_inputs(folder):
    """Write a folder for each day, and movies with genres."""
    ratings = awkward_ratings().with_columns(day=(pl.col("timestamp") - FIRST) // (10 * 86_400))
    for (day,), rows in ratings.partition_by("day", as_dict=True, include_key=False).items():
        (folder / "ratings" / f"day={day}").mkdir(parents=True)
        rows.write_parquet(folder / "ratings" / f"day={day}" / "part-0.parquet")
    ids = ratings["movieId"].unique().sort()
    genres = [["Drama", "Comedy|Drama", "Comedy"][movie % 3] for movie in ids]
    movies = pl.DataFrame({"movieId": ids, "title": [f"Movie {movie}" for movie in ids], "genres": genres})
    movies.write_csv(folder / "movies.csv")


def manifests(folder, cases=tuple(CASES), **engine):
    """Rank, and return the manifest of each ranking without what differs between any two runs."""
    output = folder / engine.get("engine", "polars")
    output.mkdir()
    found = {}
    for name in cases:
        given = {"input_path": str(folder / "ratings"), "movies_path": str(folder / "movies.csv")}
        operator = MovielensRankMoviesOperator(
            task_id="rank", output_path=str(output / name), **given, **CASES[name], **engine
        )
        manifest = operator.execute({})
        found[name] = {key: value for key, value in manifest.items() if key not in ("path", "ranked_at")}
    return found


def trained(folder, **engine):
    """Train and register a model, the first one as the champion, and return the path of its file."""
    operator = MovielensTrainOperator(
        task_id="train", input_path=str(folder / "ratings"), registry=folder / "registry", **engine
    )
    found = operator.execute({})
    registry = ModelRegistry(folder / "registry")
    if registry.aliases().champion is None:
        registry.promote(found["version"], by="a test", reason="a test")
    return found["path"]


def main(folder, conn_id):
    write_inputs(folder)
    found = [manifests(folder), manifests(folder, engine="spark", spark_conn_id=conn_id)]
    (folder / "manifests.json").write_text(json.dumps(found))
    models = [trained(folder), trained(folder, engine="spark", spark_conn_id=conn_id)]
    (folder / "models.json").write_text(json.dumps(models))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
