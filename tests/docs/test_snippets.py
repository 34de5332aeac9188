"""Every snippet of the docs runs, and every argument is in the reference."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.document import Document
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from airflow_movielens.client import ClientSettings, MovielensClient
from airflow_movielens.deadlines import PartitionDeadline
from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import (
    MovielensEvaluateOperator,
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensPromoteOperator,
    MovielensRankMoviesOperator,
    MovielensRecommendOperator,
    MovielensToPostgresOperator,
    MovielensTrainOperator,
)
from airflow_movielens.sensors import MovielensRatingsSensor
from airflow_movielens.triggers import MovielensNewRatingsTrigger, MovielensRatingsTrigger

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PUBLIC = [
    MovielensHook,
    MovielensFetchRatingsOperator,
    MovielensRankMoviesOperator,
    MovielensTrainOperator,
    MovielensEvaluateOperator,
    MovielensPromoteOperator,
    MovielensRecommendOperator,
    MovielensToPostgresOperator,
    MovielensPopularityOperator,
    MovielensRatingsSensor,
    MovielensNewRatingsTrigger,
    MovielensRatingsTrigger,
    PartitionDeadline,
]

# Shell commands of the docs, and the test that runs them.
RUN_BY = {
    "make demo": "tests/e2e/test_demo.py",
    "make up SERVICES=celery,s3": "tests/distributed/celery/conftest.py",
    "make up": "tests/e2e/test_up.py",
    "make test": ".ci/run",
    "airflow backfill create --dag-id 06_ratings": "tests/e2e/test_partitions.py",
    "airflow api-server": "tests/distributed/celery/test_deploy_page.py",
    "airflow celery worker": "tests/distributed/celery/test_deploy_page.py",
    "airflow dag-processor": "tests/distributed/celery/test_deploy_page.py",
    "airflow dags unpause": "tests/distributed/celery/test_deploy_page.py",
    "airflow db migrate": "tests/distributed/celery/test_deploy_page.py",
    "airflow scheduler": "tests/distributed/celery/test_deploy_page.py",
    "airflow triggerer": "tests/distributed/celery/test_deploy_page.py",
    "curl --fail http://airflow.example.com": "tests/distributed/celery/test_deploy_page.py",
    'python -c "': "tests/distributed/celery/test_deploy_page.py",
    "python -m pip install apache-airflow==": "tests/packaging/test_installing_the_provider.py",
    "airflow kubernetes generate-dag-yaml": "tests/distributed/kubernetes/test_pods.py",
    "airflow connections add": "tests/docs/test_connection_page.py",
    "movielens fetch": "tests/docs/test_command_line_page.py",
    "movielens recommend": "tests/docs/test_command_line_page.py",
    "movielens train": "tests/docs/test_command_line_page.py",
    "movielens similar": "tests/docs/test_command_line_page.py",
    "movielens catalogue rebuild": "tests/integration/test_rebuilding.py",
    "movielens rank": "tests/docs/test_command_line_page.py",
    "python -m pip install ./airflow-movielens": "tests/packaging/test_installing_the_provider.py",
    "python -m pip install git+": "tests/packaging/test_installing_the_provider.py",
    "python -m pip install airflow_movielens": "tests/packaging/test_installing_the_provider.py",
    "uv pip install apache-airflow==": "tests/packaging/test_resolving.py",
    "sha256sum": "tests/integration/test_ranking_manifest.py",
}
# Pages whose Python needs packages of another environment, and the test that runs it there.
PYTHON_RUN_BY = {"kubernetes.md": "tests/distributed/kubernetes/test_pods.py"}


def blocks(page, language):
    document = Document.parse(str(page), CodeBlockParser(language=language, evaluator=lambda _: None))
    return [str(example.parsed) for example in document]


@pytest.fixture
def connected(api, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_MOVIELENS",
        f'{{"conn_type": "movielens", "host": "{api.base_url}", "login": "{api.user}", "password": "{api.password}"}}',
    )
    return {"API_URL": api.base_url, "API_USER": api.user, "API_PASSWORD": api.password}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in PYTHON_RUN_BY], ids=lambda page: page.name)
def test_python_snippets_run(page, connected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(page)
    document.namespace.update(connected)
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_commands_are_run_by_a_test(page):
    lines = [line.partition(" #")[0].strip() for block in blocks(page, "bash") for line in block.splitlines()]
    commands = [line for line in lines if line and not line.startswith(("export ", "cd "))]
    for command in commands:
        known = [where for run, where in RUN_BY.items() if command.startswith(run)]
        assert known, f"{page.name} shows `{command}`, which no test runs"
        assert (ROOT / known[0]).is_file()


@pytest.mark.parametrize(("page", "where"), PYTHON_RUN_BY.items())
def test_python_that_needs_another_environment_is_run_there(page, where):
    assert f"docs/{page}" in (ROOT / where).read_text()


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_every_argument_is_in_the_reference(public):
    reference = (ROOT / "docs" / "reference.md").read_text()
    section = re.split(r"^## ", reference, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"`{public.__name__}")]
    arguments = [name for name in inspect.signature(public.__init__).parameters if name not in {"self", "kwargs"}]
    assert [name for name in arguments if name not in text] == []


def test_every_setting_and_method_of_the_client_is_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text()
    (text,) = [part for part in reference.split("\n## ") if part.startswith("`MovielensClient")]
    settings = [field.name for field in dataclasses.fields(ClientSettings)]
    methods = [name for name in dir(MovielensClient) if not name.startswith("_")]
    assert [name for name in [*settings, *methods] if f"`{name}" not in text] == []


def test_every_dependency_has_a_reason():
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    projects = (ROOT / "pyproject.toml").read_text() + (ROOT / "movielens-api" / "pyproject.toml").read_text()
    listed = re.findall(r"^(?:dependencies|demo|test|sample) = \[(.*?)\]$", projects, flags=re.MULTILINE | re.DOTALL)
    names = {name for block in listed for name in re.findall(r'"([A-Za-z][\w-]*)', block)}
    assert len(names) > 20
    assert {name for name in names if name not in reasons} == set()


def test_links_between_pages_have_targets():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
