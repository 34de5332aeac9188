"""The real executor creates pods of the page's template; their commands run as processes, on an empty disk for each."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from kubernetes.utils import parse_quantity

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings

pytestmark = pytest.mark.long

DAY = "2000-11-20"
# Of 41 pages: some parts are durable, and some pages are missing.
PAGES_BEFORE_THE_LOSS = 25
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def undisturbed(kubernetes_stack, tmp_path_factory):
    """Return the SHA-256 of the file of a fetch that nothing disturbs."""
    user, password = kubernetes_stack.api_login
    output = LocalOutput(tmp_path_factory.mktemp("undisturbed") / "ratings.parquet")
    with MovielensClient(kubernetes_stack.api_address, user=user, password=password) as client:
        return fetch_ratings(client, Window.of("1995-01-09", "2016-10-17"), output).sha256


def test_a_partition_is_fetched_and_ranked_in_pods_without_secrets_of_airflow(kubernetes_stack):
    stack, airflow, dags = kubernetes_stack, kubernetes_stack.airflow, ["06_ratings", "06_rank"]
    stack.wait_for_dags(dags)
    for dag_id in dags:
        airflow.set_paused(dag_id, paused=False)
    body = {"logical_date": None, "partition_key": DAY}
    assert stack.ended("06_ratings", airflow.post("/dags/06_ratings/dagRuns", body)["dag_run_id"]) == "success"

    def ranked():
        return [run for run in airflow.runs("06_rank") if run["partition_key"] == DAY and run["state"] == "success"]

    stack.until("the rankings", ranked)
    for dag_id in dags:
        airflow.set_paused(dag_id, paused=True)
    assert stack.cluster.refused == []
    created = stack.cluster.created()
    assert len(created) >= 3
    secrets = stack.credentials
    for pod in created:
        text = json.dumps(pod)
        hidden = (secrets.fernet_key, secrets.jwt_secret, secrets.session_secret, secrets.api_password)
        assert not [secret for secret in hidden if secret in text]
        assert '"token":"ey' in pod["spec"]["containers"][0]["args"][-1]


@pytest.mark.parametrize("loss", ["killed", "deleted"])
def test_a_retry_in_another_pod_resumes_from_the_bucket(kubernetes_stack, undisturbed, loss):
    stack, cluster = kubernetes_stack, kubernetes_stack.cluster
    output = f"{stack.stack.data_root}/{loss}.parquet"
    before = stack.pages()
    run_id = stack.start("large_fetch", {"output_path": output})
    stack.until("some pages", lambda: stack.pages() - before >= PAGES_BEFORE_THE_LOSS)
    (lost,) = cluster.created_for(run_id)
    (cluster.kill if loss == "killed" else cluster.delete)(lost)
    assert stack.ended("large_fetch", run_id) == "success"

    (task,) = stack.airflow.tasks("large_fetch", run_id)
    assert task["try_number"] == 2
    (_, other) = cluster.created_for(run_id)
    log = cluster.log(other)
    assert re.search(r"Resuming the ratings of .+: [\d,]+ rows of 100,004 are already saved", log)
    assert digest(output) == undisturbed


def test_no_pod_needed_as_much_memory_as_its_limit(kubernetes_stack):
    (container,) = kubernetes_stack.cluster.created()[0]["spec"]["containers"]
    limit = float(parse_quantity(container["resources"]["limits"]["memory"])) / MEGABYTE
    peaks = kubernetes_stack.cluster.peaks
    print({name: f"{peak:.0f} MB" for name, peak in peaks.items()})
    assert max(peaks.values()) < limit


def digest(path):
    from airflow.sdk import ObjectStoragePath

    return hashlib.sha256(ObjectStoragePath(path).read_bytes()).hexdigest()
