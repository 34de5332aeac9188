"""Rank awkward ratings on an engine: ``python ranking_engines.py duckdb`` prints every ranking as CSV, in JSON."""

from __future__ import annotations

import json
import random
import sys

import polars as pl

from airflow_movielens.ranking import METHODS, rank_movies

FIRST = 974_246_400
SECONDS = 40 * 86_400
AS_OF = FIRST + SECONDS // 2
SCHEMA = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}


def awkward_ratings():
    """Return ties, re-ratings (some at one second), movies with one rating, and ages of all kinds."""
    chance = random.Random(14)
    seconds = [FIRST + chance.randrange(SECONDS) for _ in range(4_000)]
    rows = [
        (chance.randrange(60), int(chance.triangular(1, 90, 1)), chance.randint(1, 10) / 2, each) for each in seconds
    ]
    again = [
        (user, movie, chance.randint(1, 10) / 2, second + chance.choice([0, 0, 1, 9_999]))
        for user, movie, _, second in rows[:500]
    ]
    ties = [(user, movie, 4.5, FIRST) for user in range(5) for movie in range(900, 930)]
    limits = [(-(2**31), 2**31 - 1, 4.0, FIRST), (2**31 - 1, -(2**31), 3.5, FIRST), (-1, -1, 5.0, FIRST)]
    return pl.DataFrame([*rows, *again, *ties, *limits, (1, 999, 0.5, FIRST)], schema=SCHEMA, orient="row")


def in_pandas(rows):
    import pandas as pd

    return pd.DataFrame(rows.to_dict(as_series=False)).astype({"rating": "float32"} if "rating" in rows.columns else {})


def in_duckdb(ratings):
    import duckdb

    return duckdb.from_arrow(ratings.to_arrow())


def in_pyspark(ratings):
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession().createDataFrame(ratings.to_arrow())


ENGINES = {
    "polars": lambda ratings: ratings,
    "polars-lazy": lambda ratings: ratings.lazy(),
    "pandas": in_pandas,
    "pyarrow": lambda ratings: ratings.to_arrow(),
    "duckdb": in_duckdb,
    "pyspark": in_pyspark,
}
TO_POLARS = {
    "polars": lambda ranking: ranking,
    "polars-lazy": lambda ranking: ranking.collect(),
    "pandas": lambda ranking: pl.DataFrame(ranking.to_dict("list")),
    "pyarrow": pl.from_arrow,
    "duckdb": lambda ranking: ranking.pl(),
    "pyspark": lambda ranking: pl.from_arrow(ranking.toArrow()),
}


def ranking_by_genre(ratings, in_engine):
    """Return a ranking with movies and an earlier ranking of the same engine."""
    ids = ratings["movieId"].unique().sort()
    movies = pl.DataFrame(
        {
            "movieId": ids,
            "title": [f"Movie {movie}" if movie % 5 else None for movie in ids],
            "year": [1990 + movie % 20 for movie in ids],
            "genres": [["Drama", "Comedy|Drama", None][movie % 3] for movie in ids],
        }
    )
    arguments = {"by": "genre", "movies": in_engine(movies)}
    earlier = rank_movies(in_engine(ratings.filter(pl.col("timestamp") < AS_OF)), "bayesian", **arguments)
    return rank_movies(in_engine(ratings), "bayesian", compare_to=earlier, **arguments)


def rankings_on(engine, few=tuple(METHODS)):
    """Return rankings as CSV, and the error of a rating that is not a number.

    All ratings are ranked by each method, one rating and none by the methods ``few``.
    """
    ratings = awkward_ratings()
    cases = [(method, "all", ratings) for method in METHODS]
    cases += [
        (method, name, rows) for method in few for name, rows in (("one", ratings.head(1)), ("none", ratings.clear()))
    ]
    rankings = {}
    for method, name, rows in cases:
        given = ENGINES[engine](rows)
        ranking = rank_movies(given, method, as_of=AS_OF)
        assert type(ranking) is type(given)
        rankings[f"{method}, {name}"] = TO_POLARS[engine](ranking).write_csv()
    rankings["by genre"] = TO_POLARS[engine](ranking_by_genre(ratings, ENGINES[engine])).write_csv()
    wrong = ratings.head(3).with_columns(rating=pl.Series([4.0, float("nan"), 3.0], dtype=pl.Float32))
    try:
        rank_movies(ENGINES[engine](wrong))
    except ValueError as error:
        rankings["nan"] = str(error)
    return rankings


if __name__ == "__main__":
    print(json.dumps(rankings_on(sys.argv[1])))
