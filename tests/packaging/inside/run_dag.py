"""Run a Dag at a moment on a new Airflow; the last line holds the Dags that Airflow has found and the states of the tasks."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.utils.db import initdb

folder, dag_id, moment = sys.argv[1:]
initdb()
DagBundlesManager().sync_bundles_to_db()
found = DagBag(folder, bundle_name="dags-folder")
sync_bag_to_db(found, "dags-folder", None)
run = found.dags[dag_id].test(logical_date=datetime.fromisoformat(moment).replace(tzinfo=UTC))
tasks = {instance.task_id: instance.state for instance in run.get_task_instances()}
print(json.dumps({"dags": sorted(found.dags), "errors": found.import_errors, "tasks": tasks}))
