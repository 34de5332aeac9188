"""The operators on both engines: ``python spark_operator.py FOLDER CONN_ID`` writes what they return."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
from unit.ranking_engines import FIRST, awkward_ratings
from unit.tastes import CUTS, tastes

from airflow_movielens.operators import (
    MovielensEvaluateOperator,
    MovielensPromoteOperator,
    MovielensRankMoviesOperator,
    MovielensRecommendOperator,
    MovielensTrainOperator,
)
from airflow_movielens.recommending.evaluation import Evaluation
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


def promoted(folder):
    """Write ratings, train a model on users with two tastes, and promote it.

    All users are these, one who rated only a movie that the model does not know, one who likes nothing, and one who
    rated a movie twice.
    """
    awkward = [(500, 9_999, 5.0, 0), (501, 10, 1.0, 0), (502, 10, 5.0, 0), (502, 10, 0.5, 9), (502, 11, 4.5, 5)]
    ratings = tastes()
    ratings.write_parquet(folder / "tastes.parquet")
    pl.concat([ratings, pl.DataFrame(awkward, ratings.schema, orient="row")]).write_parquet(folder / "all.parquet")
    given = {"input_path": str(folder / "tastes.parquet"), "registry": folder / "tastes"}
    train = MovielensTrainOperator(task_id="train", parameters={"lambda_1": 5, "lambda_2": 5}, **given)
    evaluation = evaluated(folder, train.execute({}))
    promote = MovielensPromoteOperator(task_id="promote", registry=folder / "tastes", evaluation_path=evaluation)
    return promote.execute({})


def evaluated(folder, model="champion", **engine):
    """Evaluate a model for these users, and return the summary."""
    operator = MovielensEvaluateOperator(
        task_id="evaluate",
        input_path=str(folder / "tastes.parquet"),
        registry=folder / "tastes",
        output_path=folder / f"evaluation-{engine.get('engine', 'polars')}",
        cuts=CUTS[:1],
        model=model,
        **engine,
    )
    return operator.execute({})


def figures(folder, **engine):
    """Evaluate the champion, and return all figures."""
    found = Evaluation.load(evaluated(folder, **engine)["path"]).to_json()
    del found["made_at"]
    return found


def recommended(folder, **engine):
    """Recommend movies to all users, and return the manifest without what differs between any two runs."""
    output = folder / f"recommendations-{engine.get('engine', 'polars')}.parquet"
    operator = MovielensRecommendOperator(
        task_id="recommend",
        input_path=str(folder / "all.parquet"),
        registry=folder / "tastes",
        output_path=output,
        n=3,
        **engine,
    )
    manifest = operator.execute({})
    return {key: value for key, value in manifest.items() if key not in ("path", "recommended_at")}


def main(folder, conn_id):
    write_inputs(folder)
    found = [manifests(folder), manifests(folder, engine="spark", spark_conn_id=conn_id)]
    (folder / "manifests.json").write_text(json.dumps(found))
    models = [trained(folder), trained(folder, engine="spark", spark_conn_id=conn_id)]
    (folder / "models.json").write_text(json.dumps(models))
    on_spark = {"engine": "spark", "spark_conn_id": conn_id}
    assert promoted(folder)["is_promoted"]
    (folder / "figures.json").write_text(json.dumps([figures(folder), figures(folder, **on_spark)]))
    (folder / "recommended.json").write_text(json.dumps([recommended(folder), recommended(folder, **on_spark)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
