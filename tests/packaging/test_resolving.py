"""The Airflow that pip and uv choose for an empty environment, and a Dag that runs on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Api
    from tests.packaging.conftest import RunDag, Shell

OF_AIRFLOW = ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", "cadwyn", "fastapi", "starlette")
PROVIDERS = [
    f"apache-airflow-providers-{name}" for name in ("amazon", "celery", "cncf-kubernetes", "google", "postgres")
]
# The first FastAPI with which Airflow 3.2 runs no task.
BREAKING = "0.137"


class Wheels(NamedTuple):
    """Both distributions as requirements."""

    provider: str
    server: str


@pytest.fixture(scope="module")
def wheels(publisher: Shell) -> Wheels:
    provider, server = sorted((publisher.folder / "dist").glob("*.whl"))
    return Wheels(f"airflow-movielens @ {provider.as_uri()}", f"movielens-api[sample] @ {server.as_uri()}")


@pytest.fixture(scope="module")
def of_the_lock(locked: list[str]) -> dict[str, str]:
    versions = dict(line.split("==") for line in locked if ";" not in line)
    return {name: versions[name] for name in OF_AIRFLOW}


@pytest.fixture
def resolve(publisher: Shell, tmp_path: Path) -> Callable[..., str]:
    """Let uv resolve requirements for an empty environment without installing them."""

    def resolve(constraints: Path, *requirements: str, exit_code: int = 0) -> str:
        (tmp_path / "wanted.in").write_text("\n".join(requirements))
        options = f"--quiet --no-header --no-annotate --python-version 3.11 -c '{constraints}'"
        return publisher.run(f"uv pip compile {options} '{tmp_path / 'wanted.in'}'", exit_code=exit_code)

    return resolve


def versions(compiled: str) -> dict[str, str]:
    found = (line.partition("==") for line in compiled.splitlines() if "==" in line)
    return {canonicalize_name(name): version for name, _, version in found}


def chosen(found: dict[str, str]) -> dict[str, str]:
    return {name: found[name] for name in OF_AIRFLOW}


@pytest.mark.parametrize(
    ("ours", "beside"),
    # A resolver starts with the first requirement.
    [(["provider"], []), (["server", "provider"], []), (["provider", "server"], PROVIDERS[:1])],
    ids=["provider", "server and provider", "provider, server and Amazon's provider"],
)
def test_uv_chooses_the_airflow_of_the_lock(
    request: pytest.FixtureRequest, resolve: Callable[..., str], wheels: Wheels, ours: list[str], beside: list[str]
) -> None:
    constraints, of_the_lock = map(request.getfixturevalue, ("until_the_lock", "of_the_lock"))
    found = versions(resolve(constraints, *(getattr(wheels, name) for name in ours), *beside))
    assert chosen(found) == of_the_lock


# One such provider is added by a test above.
@pytest.mark.long
def test_other_providers_of_airflow_can_be_added_to_the_lock(
    resolve: Callable[..., str], wheels: Wheels, constraints: Path, of_the_lock: dict[str, str]
) -> None:
    found = versions(resolve(constraints, *wheels, *PROVIDERS))
    assert chosen(found) == of_the_lock
    assert set(PROVIDERS) <= found.keys()


def test_a_later_fastapi_is_refused_beside_an_airflow_that_is_named(
    resolve: Callable[..., str], wheels: Wheels, until_the_lock: Path, of_the_lock: dict[str, str]
) -> None:
    airflow = f"apache-airflow=={of_the_lock['apache-airflow']}"
    refusal = resolve(until_the_lock, wheels.provider, airflow, f"fastapi>={BREAKING}", exit_code=1)
    assert f"{airflow} depends on fastapi" in " ".join(refusal.split())


def test_without_its_version_a_later_fastapi_leads_to_an_older_airflow(
    resolve: Callable[..., str], wheels: Wheels, until_the_lock: Path
) -> None:
    found = versions(resolve(until_the_lock, wheels.provider, f"fastapi>={BREAKING}"))
    assert Version(found["apache-airflow"]) < Version("3.3")
    assert "fastapi>=" in resolve(until_the_lock, wheels.server, f"fastapi>={BREAKING}", exit_code=1)


@pytest.fixture(scope="module")
def uv_user(new_user: Callable[[], Shell], repository: Path) -> Shell:
    """Return a shell in an empty environment, and a clone."""
    user = new_user()
    user.run(f"git clone --quiet '{repository}' airflow-movielens")
    return user


@pytest.fixture(scope="module")
def with_uv(uv_user: Shell, tools: Path, until_the_lock: Path) -> dict[str, str]:
    """Install both distributions with uv."""
    ours = "'./airflow-movielens/movielens-api[sample]' ./airflow-movielens"
    uv_user.run(f"'{tools / 'uv'}' pip install --quiet --python python -c '{until_the_lock}' {ours}")
    return uv_user.distributions()


def test_uv_installs_the_airflow_of_the_lock(with_uv: dict[str, str], of_the_lock: dict[str, str]) -> None:
    assert chosen(with_uv) == of_the_lock


# Other tests run Dags with the installed versions.
@pytest.mark.long
@pytest.mark.usefixtures("with_uv")
def test_a_dag_runs_where_uv_installed_both(uv_user: Shell, api: Api, run_dag: RunDag) -> None:
    with uv_user.serving(api) as its_own:
        run_dag(uv_user, its_own)


# pip reads the same metadata as uv.
@pytest.mark.long
def test_pip_chooses_what_uv_chooses(
    uv_user: Shell, with_uv: dict[str, str], until_the_lock: Path, wheels: Wheels
) -> None:
    command = "python -m pip install --quiet --dry-run --ignore-installed --report report.json"
    uv_user.run(f"{command} '{wheels.server}' '{wheels.provider}'", PIP_CONSTRAINT=str(until_the_lock))
    report = json.loads((uv_user.folder / "report.json").read_text())
    found = {canonicalize_name(each["metadata"]["name"]): each["metadata"]["version"] for each in report["install"]}
    # The environment was created with pip, and perhaps setuptools and wheel.
    assert with_uv.keys() - found.keys() <= {"pip", "setuptools", "wheel"}
    assert found.items() <= with_uv.items()
