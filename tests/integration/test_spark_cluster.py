"""The operator on a Spark cluster of a master and two workers, each a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from unit import spark_operator
from unit.spark_packages import spark_packages

from airflow_movielens.recommending import load_model

ROOT = Path(__file__).resolve().parents[2]
MASTER = re.compile(r"Starting Spark master at (spark://127\.0\.0\.1:(\d+))")


@contextmanager
def running(what, log, *arguments):
    """Run a daemon of Spark that listens only on the loopback interface."""
    home = spark_packages() / "pyspark"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    command = [
        home / "bin/spark-class",
        f"org.apache.spark.deploy.{what}",
        "--host",
        "127.0.0.1",
        "--webui-port",
        "0",
    ]
    with (
        log.open("w") as out,
        subprocess.Popen([*command, *arguments], env=environment, stdout=out, stderr=out) as daemon,
    ):
        try:
            yield
        finally:
            daemon.terminate()


def logged(log, pattern, number=1):
    """Wait until a log has so many lines with a pattern; return the first."""
    for _ in range(1200):
        if len(found := list(re.finditer(pattern, log.read_text()))) >= number:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def cluster(tmp_path):
    """Run a master and two workers of one core each, and return the port of the master."""
    log = tmp_path / "master.log"
    worker = ["--cores", "1", "--memory", "512m", "--work-dir"]
    with running("master.Master", log, "--port", "0"):
        url, port = logged(log, MASTER).groups()
        with (
            running("worker.Worker", tmp_path / "first.log", *worker, tmp_path / "first", url),
            running("worker.Worker", tmp_path / "second.log", *worker, tmp_path / "second", url),
        ):
            logged(log, "Registering worker", 2)
            yield port


@pytest.mark.long
def test_a_cluster_writes_the_same_files(cluster, engines_python, tmp_path):
    settings = {
        "spark.executor.memory": "512m",
        "spark.sql.shuffle.partitions": 4,
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
    }
    connection = {"conn_type": "spark", "host": "spark://127.0.0.1", "port": cluster, "extra": settings}
    own = {"AIRFLOW_CONN_CLUSTER": json.dumps(connection), "SPARK_LOCAL_IP": "127.0.0.1"}
    own["PYSPARK_PYTHON"] = str(engines_python)
    paths = os.pathsep.join(map(str, [spark_packages(), ROOT / "src", ROOT / "tests"]))
    (tmp_path / "data").mkdir()
    subprocess.run(
        [sys.executable, spark_operator.__file__, tmp_path / "data", "cluster"],
        env={**os.environ, **own, "PYTHONPATH": paths}, check=True,
    )  # fmt: skip
    embedded, on_spark = json.loads((tmp_path / "data/manifests.json").read_text())
    # The manifests have the checksums of the rankings.
    assert on_spark == embedded
    assert embedded["genres.csv"]["ratings"] > 4000
    assert len(embedded["genres.csv"]["inputs"]) == 4
    one, other = map(load_model, json.loads((tmp_path / "data/models.json").read_text()))
    np.testing.assert_allclose(one.matrix, other.matrix, rtol=1e-5, atol=1e-5 * np.abs(one.matrix).max())
    figures, figures_on_spark = json.loads((tmp_path / "data/figures.json").read_text())
    assert figures_on_spark == figures
    recommended, recommended_on_spark = json.loads((tmp_path / "data/recommended.json").read_text())
    assert recommended_on_spark == recommended
    for name in ("first", "second"):
        assert "Running task" in "".join(log.read_text() for log in (tmp_path / name).rglob("stderr"))
