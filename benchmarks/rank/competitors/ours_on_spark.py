"""`rank_on_spark` on all cores of this machine: ``ours_on_spark METHOD unique|exact``. Values are checked."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from airflow_movielens.ranking import RankingOptions
from airflow_movielens.ranking.spark import rank_on_spark, ratings_on_spark
from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, method, users = sys.argv[1:]
    rows = ratings_on_spark(session, [f"file://{Path(ratings).resolve()}"])
    rank_on_spark(rows, RankingOptions(method, unique=users == "unique")).write_csv(output)


if __name__ == "__main__":
    settings = {"spark.ui.enabled": "false", "spark.driver.memory": "4g", "spark.sql.shuffle.partitions": "8"}
    session = SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
    measure(_rank)
    session.stop()
