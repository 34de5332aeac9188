"""What the operator makes of its arguments for Spark, in an environment without Spark."""

from __future__ import annotations

import json

import pytest
from airflow.exceptions import AirflowFailException

from airflow_movielens.client import FatalError
from airflow_movielens.operators import MovielensRankMoviesOperator
from airflow_movielens.storage.spark import spark_settings, spark_url


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "spark"}, r"engine='spark' needs PySpark: install airflow-movielens\[spark\]"),
        ({"engine": "duckdb"}, "there is no engine 'duckdb': use 'polars' or 'spark'"),
        ({"spark_conn_id": "cluster"}, "spark_conn_id is given without engine='spark'"),
    ],
)
def test_a_wrong_engine_is_one_clear_sentence(arguments, words, tmp_path):
    (tmp_path / "in.csv").write_text("userId,movieId,rating,timestamp\n1,2,3.0,4\n")
    operator = MovielensRankMoviesOperator(
        task_id="rank", input_path=str(tmp_path / "in.csv"), output_path=str(tmp_path / "out.csv"), **arguments
    )
    with pytest.raises(AirflowFailException, match=words):
        operator.execute({})


@pytest.mark.parametrize(
    ("connection", "master"),
    [
        ("spark://master.example.com:7077", "spark://master.example.com:7077"),
        ({"conn_type": "spark", "host": "spark://one:7077,two:7077"}, "spark://one:7077,two:7077"),
        ({"conn_type": "spark", "host": "spark://master", "port": 7077}, "spark://master:7077"),
        ({"conn_type": "spark", "host": "k8s://https://example.com", "port": 443}, "k8s://https://example.com:443"),
        ({"conn_type": "spark", "host": "local[2]"}, "local[2]"),
        ({"conn_type": "spark", "host": "yarn"}, "yarn"),
    ],
)
def test_a_connection_names_the_master(connection, master, monkeypatch):
    text = connection if isinstance(connection, str) else json.dumps(connection)
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", text)
    assert spark_settings("cluster") == {"spark.master": master}


def test_settings_come_from_the_extra(monkeypatch):
    extra = {"spark.executor.memory": "4g", "spark.ui.enabled": False, "deploy-mode": "client"}
    connection = {"conn_type": "spark", "host": "yarn", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))
    assert spark_settings("cluster") == {
        "spark.executor.memory": "4g",
        "spark.ui.enabled": "False",
        "spark.master": "yarn",
    }
    assert spark_settings(None) == {}


@pytest.mark.parametrize("connection", ["http://example.com", "spark://"])
def test_a_connection_that_is_not_one_of_spark_is_refused(connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", connection)
    with pytest.raises(FatalError, match="the connection cluster is not one of Spark: it needs the type spark"):
        spark_settings("cluster")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/data/a b%20[1].csv", "file:///data/a b%20[1].csv"),
        ("s3://aws@bucket/a/b.parquet", "s3a://bucket/a/b.parquet"),
        ("s3a://bucket/b.parquet", "s3a://bucket/b.parquet"),
        ("gcs://google@bucket/b.parquet", "gs://bucket/b.parquet"),
        ("hdfs://name-node:8020/b.parquet", "hdfs://name-node:8020/b.parquet"),
    ],
)
def test_files_have_urls_of_spark(path, url):
    assert spark_url(path) == url
