"""The checkpoint of a fetch in Airflow's task state store: a real task, its retry, and the real store."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from packaging.version import Version
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.task_state import checkpoints_of

ROWS = ratings(1_030)


def stored_checkpoints():
    """Return the states that Airflow keeps of the task in its database."""
    with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as database:
        where = "dag_id = 'breaks_off' AND key = 'movielens_fetch'"
        return [json.loads(value) for (value,) in database.execute(f"SELECT value FROM task_state_store WHERE {where}")]


def test_a_retry_resumes_from_the_checkpoint(airflow, run_day, connection, default_tuning, airflow_version):
    default_tuning(part_rows=100, early_share=0.0)
    is_kept_by_airflow = airflow_version >= Version("3.3")
    saved = []
    folder = airflow / "checkpoints"
    in_folder = []

    def script(_, query, number):
        if 12 <= number < 16:  # a first try and its three retries
            return Response({}, 503, {"Retry-After": "0"})
        if number == 16:
            in_folder.extend(file.suffix for file in folder.glob(".partial-*/*"))
            saved.extend(stored_checkpoints() if is_kept_by_airflow else [])
        return page_of(ROWS, query)

    with serve(script) as server:
        connection(host=server.base_url, extra='{"concurrency": 1}')
        run = run_day("breaks_off")
        # The check of the server's days requests single rows of the days around the window.
        offsets = [int(query["offset"]) for _, query, _ in server.requests if query["limit"] != "1"]
    assert run.state == "success", run.log
    assert "Resuming the ratings of [1970-01-02, 1970-01-03)" in run.log
    assert min(offsets[16:]) > 0
    assert ".arrow" in in_folder
    assert (".json" in in_folder) != is_kept_by_airflow
    assert len(saved) == is_kept_by_airflow
    assert not is_kept_by_airflow or stored_checkpoints() == []
    assert ("Airflow keeps no state of this task" in run.log) != is_kept_by_airflow
    assert (folder / "r.csv").read_text().count("\n") == 1031
    assert sorted(file.name for file in folder.iterdir()) == [".r.csv.manifest.json", "r.csv"]


def test_before_airflow_3_3_no_checkpoint_is_stored_in_airflow_and_the_log_says_so(caplog):
    caplog.set_level("INFO")
    assert checkpoints_of({}) is None
    assert caplog.text.count("Airflow keeps no state of this task") == 1


class BrokenStore:
    def __init__(self, error):
        self.error = error

    def get(self, key):
        raise self.error

    def set(self, key, value):
        raise self.error

    def delete(self, key):
        raise self.error


def of_airflow():
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    return AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"reason": "no database"}))


@pytest.mark.parametrize("error", [of_airflow, lambda: OSError("no database")], ids=["Airflow's", "a backend's"])
def test_a_store_that_fails_costs_only_the_checkpoint(error, caplog):
    checkpoints = checkpoints_of({"task_state_store": BrokenStore(error())})
    checkpoints.save({"rows": 1})
    checkpoints.clear()
    assert caplog.text.count("no database") == 2
    with pytest.raises(ValueError, match="no database"):
        checkpoints.load()
