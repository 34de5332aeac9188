"""Spark on all cores of this machine: ``spark_local unique|exact``. The start of Spark is not measured."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, users = sys.argv[1:]
    number = f.count("*") if users == "unique" else f.countDistinct("userId")
    grouped = session.read.parquet(ratings).groupBy("movieId").agg(number, f.avg("rating"))
    lines = [f"{movie},{count},{mean!r}" for movie, count, mean in grouped.collect()]
    Path(output).write_text("\n".join(["movieId,num_ratings,avg_rating", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    settings = {"spark.ui.enabled": "false", "spark.driver.memory": "4g", "spark.sql.shuffle.partitions": "8"}
    session = SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
    measure(_rank)
    session.stop()
