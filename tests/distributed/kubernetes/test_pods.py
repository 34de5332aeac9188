"""The pods of docs/kubernetes.md and of the example Dags, rendered by Airflow's own command, as Kubernetes accepts them."""

from __future__ import annotations

import copy
import shlex
import shutil
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from distributed.kubernetes.page import PAGE, block, settings, template
from distributed.kubernetes.validation import problems

from demo.configuration import base_environment
from demo.layout import ROOT

DAG_ID = "ratings_in_pods"
# In one process, whose start takes longer than any of these commands.
RENDER = """
import sys
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.dagbag import DagBag

def airflow(*words):
    arguments = get_parser().parse_args(words)
    arguments.func(arguments)

airflow("db", "migrate")
bag = DagBag()
assert not bag.import_errors, bag.import_errors
for dag_id in bag.dags:
    airflow(*[dag_id if word == "DAG_ID" else word for word in sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def pods(tmp_path_factory):
    """Render the pods of all Dags with the page's command, template and settings; return them by Dag and task."""
    folder = tmp_path_factory.mktemp("kubernetes")
    shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dags" / "page.py").write_text(block("python"))
    (folder / "pod_template.yaml").write_text(block("yaml"))
    environment = base_environment() | settings(folder)
    environment |= {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "MOVIELENS_DATA_DIR": "s3://aws_default@lake/movielens"}
    words = shlex.split(block("bash", 1).replace(DAG_ID, "DAG_ID"))[1:]
    command = [sys.executable, "-c", RENDER, *words]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = (folder / "pods" / "airflow_yaml_output").glob("*.yml")
    rendered = [yaml.safe_load(file.read_text()) for file in files]
    return {
        (pod["metadata"]["annotations"]["dag_id"], pod["metadata"]["annotations"]["task_id"]): pod for pod in rendered
    }


def test_every_task_of_every_dag_has_a_pod_that_kubernetes_accepts(pods):
    assert {dag_id for dag_id, _ in pods} >= {
        DAG_ID,
        "01_python",
        "05_pipeline",
        "06_ratings",
        "06_trailing",
        "07_recommend",
    }
    assert {task: found for task, pod in pods.items() if (found := problems(pod))} == {}


@pytest.mark.parametrize("version", kubernetes_validate.utils.all_versions())
def test_every_version_of_kubernetes_accepts_the_pods_of_the_page(pods, version):
    mine = [pod for (dag_id, _), pod in pods.items() if dag_id == DAG_ID]
    assert [problems(pod, version) for pod in mine] == [[], [], []]


def test_the_page_names_these_versions():
    oldest, *_, newest = kubernetes_validate.utils.all_versions()
    assert f"Kubernetes {oldest.rpartition('.')[0]} to {newest.rpartition('.')[0]}" in " ".join(PAGE.split())


@pytest.mark.parametrize(
    ("task_id", "memory", "disk"),
    [("fetch_ratings", "512Mi", "1Gi"), ("rank_movies", "768Mi", "2Gi"), ("train_model", "2560Mi", "4Gi")],
)
def test_a_pod_has_what_its_task_needs_and_the_rest_of_the_template(pods, task_id, memory, disk):
    spec = pods[DAG_ID, task_id]["spec"]
    (container,) = spec["containers"]
    amounts = {"memory": memory, "ephemeral-storage": disk}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert container["args"][:3] == ["python", "-m", "airflow.sdk.execution_time.execute_workload"]
    (base,) = template()["spec"]["containers"]
    assert container["image"] == base["image"]
    assert [each for each in base["env"] if each not in container["env"]] == []
    assert (container["volumeMounts"], spec["volumes"]) == (base["volumeMounts"], template()["spec"]["volumes"])
    assert spec["restartPolicy"] == "Never"


@pytest.mark.parametrize("map_index", [-1, 30])
def test_the_pod_of_a_run_of_a_partition_is_accepted(map_index):
    """The executor itself gives no logical date, which these runs do not have, but the id of the run."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    pod = PodGenerator.construct_pod(
        dag_id="06_trailing",
        task_id="rank_bayesian_before",
        pod_id="06-trailing-rank-bayesian-before-jyjv4vxd",
        try_number=2,
        kube_image="",
        date=None,
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload"],
        pod_override_object=None,
        base_worker_pod=PodGenerator.deserialize_model_dict(copy.deepcopy(template())),
        namespace="airflow",
        scheduler_job_id="1",
        run_id="asset_triggered__2026-11-29T20:53:44.613900+00:00__2026-11-28__6JFAmFZv",
        map_index=map_index,
    )
    pod.spec.containers[0].image = "image"
    assert problems(PodGenerator.serialize_pod(pod)) == []


def misspelled(pod):
    pod["spec"]["containers"][0]["resource"] = {}


def without_containers(pod):
    del pod["spec"]["containers"]


def of_the_wrong_type(pod):
    pod["spec"]["containers"][0]["env"][0]["value"] = 60


def without_volumes(pod):
    del pod["spec"]["volumes"]


def with_more_than_its_limit(pod):
    pod["spec"]["containers"][0]["resources"]["requests"]["memory"] = "1Gi"


def with_a_run_as_a_label(pod):
    pod["metadata"]["labels"] = {"run_id": "manual__2000-11-20T00:00:00+00:00"}


@pytest.mark.parametrize(
    "broken",
    [
        misspelled,
        without_containers,
        of_the_wrong_type,
        without_volumes,
        with_more_than_its_limit,
        with_a_run_as_a_label,
    ],
)
def test_a_broken_pod_is_refused(broken):
    pod = copy.deepcopy(template())
    assert problems(pod) == []
    broken(pod)
    assert len(problems(pod)) == 1
