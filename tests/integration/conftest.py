"""An Airflow database, and Dags run in this process as `airflow dags test` runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from integration.tasks_api import start_tasks_api
from integration.warehouse import Warehouse

from demo.ports import choose_port
from demo.services.postgres import Postgres
from demo.services.service import running

NUMBERS = count()
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Two commands of Airflow in one process, whose start takes longer than either of them.
MAKE_DATABASE = """
from airflow.cli.cli_parser import get_parser
for command in (["db", "migrate"], ["dags", "reserialize"]):
    arguments = get_parser().parse_args(command)
    arguments.func(arguments)
"""


@pytest.fixture(scope="session")
def airflow(tmp_path_factory, api):
    """Set up Airflow with our Dags and those of the tests, and return the data folder."""
    dags, data = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("data")
    for source in (ROOT / "dags", HERE / "dags"):
        shutil.copytree(source, dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    os.environ |= {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "MOVIELENS_DATA_DIR": str(data),
        "MOVIELENS_SENSOR_TIMEOUT": "0.2",
        "MOVIELENS_HOST": "127.0.0.1",
        "MOVIELENS_PORT": str(api.port),
        "MOVIELENS_USER": api.user,
        "MOVIELENS_PASSWORD": api.password,
    }
    subprocess.run([sys.executable, "-c", MAKE_DATABASE], check=True, capture_output=True)
    start_tasks_api()
    return data


@pytest.fixture(autouse=True)
def connection(monkeypatch, api):
    """Define the connection `movielens` to the running API; call the result to change parts of it."""

    def connect(**changes):
        parts = {
            "conn_type": "movielens",
            "host": "127.0.0.1",
            "port": api.port,
            "login": api.user,
            "password": api.password,
        }
        for conn_id in ("MOVIELENS", "MOVIELENS_DEFAULT"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(parts | changes))

    connect()
    return connect


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """Run a PostgreSQL server."""
    with ExitStack() as claims:
        port = choose_port(None, claims)
        server = Postgres(tmp_path_factory.mktemp("postgres") / "server", port, "w4reh0use", {"fsync": "off"})
        with running(server):
            yield server


@pytest.fixture(params=["psycopg", "psycopg2"])
def driver(request, monkeypatch):
    """Let Airflow's hook use each of its drivers: it chooses one by the version of SQLAlchemy."""
    from airflow.providers.postgres.hooks import postgres as module

    monkeypatch.setattr(module, "USE_PSYCOPG3", request.param == "psycopg")
    return request.param


@pytest.fixture
def warehouse(postgres, monkeypatch):
    """Make a database, and define the connection `warehouse` to it."""
    admin = Warehouse(postgres.url("postgres"))
    name = f"warehouse_{next(NUMBERS)}"
    admin(f"CREATE DATABASE {name} STRATEGY file_copy")
    found = Warehouse(postgres.url(name))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", found.airflow_connection())
    yield found
    found.connection.close()
    admin(f"DROP DATABASE {name} WITH (FORCE)")
    admin.connection.close()


@dataclass(frozen=True)
class Run:
    """A finished Dag run: its state, the states and results of its tasks, and the whole log."""

    state: str
    tasks: dict[str, str]
    log: str
    results: dict[str, object]


@pytest.fixture(scope="session")
def bag(airflow):
    """Load the Dags once."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert not bag.import_errors
    return bag


@pytest.fixture
def run_day(bag, capfd, caplog, monkeypatch, tmp_path):
    """Run a Dag for a data interval of one day, ``run_day("01_python", "2000-11-20")``, or for a partition."""
    from airflow.models import dagrun

    # Before each run, Airflow would parse and store all Dags again, which takes longer than the run.
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    empty = {"name": "dags-folder", "classpath": kind, "kwargs": {"path": str(tmp_path / "empty")}}
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([empty]))

    create = dagrun.get_or_create_dagrun

    def run(dag_id, day=None, conf=None, partition=None):
        # A manual run takes the last interval that ended before its date.
        moment = (
            datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), UTC) if day else None
        )

        def create_with_partition(*, session, **arguments):  # `dag.test` takes no partition
            made = create(session=session, **arguments)
            made.partition_key = partition
            session.commit()
            return made

        if partition is not None:
            monkeypatch.setattr(dagrun, "get_or_create_dagrun", create_with_partition)
        dag = bag.get_dag(dag_id)
        dag.deadline = None  # with one, `dag.test` fails at its end: it takes the deadline for the id of one
        capfd.readouterr()
        dag_run = dag.test(logical_date=moment, run_conf=conf)
        out, err = capfd.readouterr()
        instances = dag_run.get_task_instances()
        states = {instance.task_id: str(instance.state) for instance in instances}
        results = {
            # Without its index, Airflow 3.1 cannot pull from a mapped task here.
            instance.task_id: instance.xcom_pull(task_ids=instance.task_id, map_indexes=instance.map_index)
            for instance in instances
        }
        return Run(str(dag_run.state), states, out + err + caplog.text, results)

    return run
