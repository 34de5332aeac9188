"""The events that OpenLineage's own provider sends for a run of a Dag."""

import json
import os
import subprocess
import sys

import pytest

RATINGS_COLUMNS = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
PASSWORD = "n0t-the-p@ssword"


@pytest.fixture(scope="module")
def events(airflow, api, tmp_path_factory):
    """The last event of each task of the Dag `lineage`, and the text of all."""
    file = tmp_path_factory.mktemp("lineage") / "events"
    connection = {"conn_type": "movielens", "host": api.base_url, "login": api.user, "password": api.password}
    environment = {
        **os.environ,
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(file), "append": True}),
        "AIRFLOW_CONN_MOVIELENS": json.dumps(connection),
        "AIRFLOW_CONN_REFUSED": json.dumps(connection | {"password": PASSWORD}),
    }
    command = [sys.executable, "-m", "airflow", "dags", "test", "lineage"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert file.exists(), run.stdout + run.stderr
    lines = file.read_text().splitlines()
    return {event["job"]["name"]: event for event in map(json.loads, lines)} | {"text": file.read_text()}
