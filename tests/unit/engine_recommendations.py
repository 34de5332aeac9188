"""Recommend movies on an engine: ``python engine_recommendations.py duckdb`` prints the recommendations in JSON."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import narwhals as nw
import polars as pl
from unit.brute_force_model import DAY, awkward_ratings
from unit.ranking_engines import ENGINES

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.data_checks import check_ratings


def recommendations_on(engine):
    """Train and recommend with dataframes of an engine; return the columns and rows, with reasons."""
    ratings = awkward_ratings()
    of_engine = ENGINES[engine]
    model = train(of_engine(ratings), ModelParameters(lambda_1=5.0, min_likes=4))
    found = model.recommend(of_engine(ratings.head(60)), n=4, users=[5_000], explain=True)
    assert type(found) is type(of_engine(ratings))
    frame = nw.from_native(found)
    frame = frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
    # Numbers of NumPy are not those of JSON.
    rows = json.loads(json.dumps(frame.rows(), default=lambda number: number.item()))
    now = datetime.fromtimestamp(200 * DAY, UTC)
    earlier = train(ratings.filter(pl.col("timestamp") < 100 * DAY)).trained_on
    checks = [str(finding) for finding in check_ratings(of_engine(ratings), earlier, now)]
    return {"columns": frame.columns, "rows": rows, "checks": checks}


if __name__ == "__main__":
    print(json.dumps(recommendations_on(sys.argv[1])))
