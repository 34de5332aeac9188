"""Rankings and models by a small Spark in this process: ``python spark_results.py FOLDER`` writes them there.

The folder has the folders ``same``, whose files all have the same ratings, and ``wrong``, whose files are refused, and
the file ``sample.parquet``. Rankings are in ``found.json``, and a model of the sample in ``model.npz``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from unit.ranking_engines import rankings_on
from unit.spark_operator import figures, manifests, promoted, recommended, write_inputs
from unit.spark_operator import trained as operator_trained

from airflow_movielens.ranking import RankingOptions
from airflow_movielens.ranking.dataframes import with_times_in_utc
from airflow_movielens.ranking.spark import numbers_on_spark, rank_on_spark, ratings_on_spark
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.spark import clear_errors_of_python

# Two partitions suffice for two cores. Compiling less pays off in short runs.
SETTINGS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.memory": "1g",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
PAGE = Path(__file__).resolve().parents[2] / "docs/spark.md"
OPTIONS = RankingOptions("bayesian")
PARAMETERS = ModelParameters(min_likes=10)


@contextmanager
def local_session():
    """Run Spark in this process, which listens only on the loopback interface."""
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    # The executors would find what this process finds.
    os.environ.pop("PYTHONPATH", None)
    session = SparkSession.builder.master("local[2]").config(map=SETTINGS).getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def rows_of(session, files):
    """Return the rows of each file, read in one job."""
    each = [with_times_in_utc(ratings_on_spark(session, [file])) for file in files]
    rows = pl.from_arrow(reduce(type(each[0]).union, each).toArrow())
    return {unquote(url): part.drop("file").rows() for (url,), part in rows.partition_by("file", as_dict=True).items()}


def refusal_of(session, file):
    try:
        rank_on_spark(ratings_on_spark(session, [file]), OPTIONS)
    except ValueError as error:
        return str(error)
    return "none"


def refusal_without(session, module):
    """Return what is said if the Python of the executors lacks a module."""

    def import_it(batches):
        __import__(module)
        return batches

    try:
        with clear_errors_of_python():
            session.range(1).mapInArrow(import_it, "id long").collect()
    except ValueError as error:
        return str(error)
    return "none"


def trained(session, folder):
    """Train a model, and return how a training without ratings ends."""
    sample = ratings_on_spark(session, [f"file://{folder}/sample.parquet"])
    train(sample, PARAMETERS).save(folder / "model.npz")
    try:
        train(sample.limit(0), PARAMETERS)
    except ValueError as error:
        return str(error)
    return "none"


def ranking_of_page(session):
    """Run the snippet of docs/spark.md, which the tests of the docs cannot run, and return its ranking."""
    snippet = re.search(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    names = {"spark": session}
    exec(snippet, names)
    return pl.from_arrow(names["ranking"].toArrow()).write_csv()


def main(folder):
    same, wrong = (
        {file.name: f"file://{file}" for file in (folder / part).rglob("*") if file.is_file()}
        for part in ("same", "wrong")
    )
    named = [file for name, file in same.items() if "ratings" in name]
    write_inputs(folder)
    with local_session() as session:
        rows = rows_of(session, list(same.values()))
        found = {
            "engines": rankings_on("pyspark", few=["trending"]),
            "rows": {name: rows[file] for name, file in same.items()},
            "ranking": rank_on_spark(ratings_on_spark(session, named), OPTIONS).write_csv(),
            "numbers": numbers_on_spark(ratings_on_spark(session, named)),
            "page": ranking_of_page(session),
            "without_module": refusal_without(session, "not_installed"),
            "no_ratings": trained(session, folder),
            "wrong": {name: refusal_of(session, file) for name, file in wrong.items()},
        }
        # The operator takes the running session, and ends it.
        found["operator"] = [manifests(folder, ["mean.parquet"]), manifests(folder, ["mean.parquet"], engine="spark")]
    with local_session():
        found["trained"] = [operator_trained(folder), operator_trained(folder, engine="spark")]
    found["promoted"] = promoted(folder)
    with local_session():
        found["figures"] = [figures(folder), figures(folder, engine="spark")]
    with local_session():
        found["recommended"] = [recommended(folder), recommended(folder, engine="spark")]
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
