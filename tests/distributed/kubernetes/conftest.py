"""Airflow with the real KubernetesExecutor, whose pods run as processes of this machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from distributed.celery.conftest import SLOW
from distributed.kubernetes.api_server import serve
from distributed.kubernetes.cluster import Cluster
from distributed.kubernetes.page import settings, template
from e2e.running_stack import RunningStack
from e2e.up import SETTINGS

from demo.__main__ import start
from demo.configuration import Credentials, base_environment
from demo.layout import ROOT, Layout
from demo.ports import LOOPBACK
from demo.processes import Guardian, SessionRecord
from demo.report import Report
from demo.stack import Stack
from demo.watch import Interruption, Watch

TIMEOUT_SECONDS = 3600
POLL_SECONDS = 0.5
LARGE_FETCH = Path(__file__).parents[1] / "celery" / "dags" / "large_fetch.py"


@dataclass(frozen=True)
class KubernetesStack(RunningStack):
    """A running stack whose tasks run in pods."""

    stack: Stack
    cluster: Cluster

    def pages(self):
        """Return how many requests for ratings the API has responded to."""
        return self.stack.log_of("movielens-api").read_text().count('"path":"/ratings"')


@pytest.fixture(scope="module")
def kubernetes_stack(tmp_path_factory):
    """Start S3, movielens-api, and Airflow with the settings and the template of the page; stop them and all pods."""
    folder = tmp_path_factory.mktemp("kubernetes")
    layout = Layout(folder / "local", folder / "dags")
    shutil.copytree(ROOT / "dags", layout.dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LARGE_FETCH, layout.dags)
    layout.create()
    credentials = Credentials.load(layout.local)
    image = base_environment() | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    secrets, record = {"movielens": {}}, SessionRecord(folder / "sessions", folder)
    cluster = Cluster(folder / "pods", image, secrets, record)
    watch = Watch(Interruption(), TIMEOUT_SECONDS, POLL_SECONDS)
    with Guardian(record), serve(cluster) as address:
        (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(address)))
        own = sections(settings(folder))
        own["kubernetes_executor"] |= {"in_cluster": "False", "config_file": str(folder / "kubeconfig")}
        with Stack(layout, credentials, watch, settings=SETTINGS | own, services=["s3"]) as stack:
            (folder / "pod_template.yaml").write_text(yaml.safe_dump(template_for(stack)))
            start(stack, Report())
            running = KubernetesStack(
                layout, credentials, watch, stack.airflow, stack.api_address, layout.logs, stack, cluster
            )
            user, password = running.api_login
            connection = {"conn_type": "movielens", "host": LOOPBACK, "port": stack.api_port}
            connection |= {"login": user, "password": password}
            secrets["movielens"]["connection"] = json.dumps(connection)
            slow = {"connection_id": "slow", **connection, "extra": json.dumps(SLOW)}
            running.airflow.post("/connections", slow)
            with pytest.MonkeyPatch.context() as patch:
                for name, value in stack.services.variables().items():
                    patch.setenv(name, value)  # the tests read the bucket, too
                yield running


def sections(variables):
    """Return those of the page's settings that the stack does not set itself, by their sections."""
    found = {"core": {"executor": variables["AIRFLOW__CORE__EXECUTOR"]}, "kubernetes_executor": {}}
    prefix = "AIRFLOW__KUBERNETES_EXECUTOR__"
    for name, value in variables.items():
        if name.startswith(prefix):
            found["kubernetes_executor"][name.removeprefix(prefix).lower()] = value
    return found


def template_for(stack):
    """Return the page's template with the addresses of this machine."""
    pod = template()
    here = {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{stack.airflow_port}/execution/",
        "AIRFLOW__MOVIELENS__DATA_ROOT": stack.data_root,
    }
    for variable in pod["spec"]["containers"][0]["env"]:
        if variable["name"] in here:
            variable["value"] = here[variable["name"]]
    # A worker notices the end of its task at its next heartbeat.
    heartbeat = {"name": "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "value": "1"}
    pod["spec"]["containers"][0]["env"].append(heartbeat)
    return pod


def kubeconfig(address):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "clusters": [{"name": "tests", "cluster": {"server": address}}],
        "users": [{"name": "tests", "user": {"token": "of nobody"}}],
    }
