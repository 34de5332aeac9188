"""The ways to install the provider into an environment with Airflow, at the locked versions, and the book's package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile

import pytest

from airflow_movielens import __version__
from airflow_movielens.provider import get_provider_info
from movielens_api import __version__ as server_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Api
    from tests.packaging.conftest import Index, RunDag, Shell

# Requirements that Airflow itself does not install; a new name here means a new dependency.
BROUGHT = {"airflow-movielens", "narwhals", "numpy", "polars", "polars-runtime-32", "scipy"}


class Installed(NamedTuple):
    """An environment with the installed provider."""

    user: Shell
    way: str
    before: dict[str, str]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def airflow_user(new_airflow_user: Callable[[], Shell]) -> Shell:
    return new_airflow_user()


@pytest.fixture(scope="module")
def book_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel with the name and version of the book's package, and a module that ours lacks."""
    wheel = tmp_path_factory.mktemp("book") / "airflow_movielens-0.1.0-py3-none-any.whl"
    info = "airflow_movielens-0.1.0.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("airflow_movielens/of_the_book.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: airflow-movielens\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


# From git, pip builds the same distribution as from a folder.
@pytest.fixture(scope="module", params=["folder", pytest.param("git", marks=pytest.mark.long), "index"])
def installed(
    request: pytest.FixtureRequest, airflow_user: Shell, repository: Path, index: Index, book_package: Path
) -> Iterator[Installed]:
    user, before = airflow_user, airflow_user.distributions()
    airflow = f"apache-airflow=={before['apache-airflow']}"
    user.run(f"python -m pip install --no-index '{book_package}'")
    if request.param == "folder":
        user.run(f"git clone --quiet '{repository}' airflow-movielens")
    command = {
        "folder": "python -m pip install ./airflow-movielens",
        "git": f"python -m pip install git+{repository.as_uri()}",
        "index": f"python -m pip install --upgrade {airflow} airflow_movielens --extra-index-url {index.simple}",
    }[request.param]
    user.run(command, PIP_REPORT="report.json")
    yield Installed(user, request.param, before, json.loads((user.folder / "report.json").read_text()))
    user.run(f"python -m pip uninstall --yes {' '.join(user.distributions().keys() - before.keys())}")


def test_without_upgrade_pip_keeps_the_package_of_the_book(
    airflow_user: Shell, index: Index, book_package: Path
) -> None:
    airflow_user.run(f"python -m pip install --no-index '{book_package}'")
    said = airflow_user.run(f"python -m pip install airflow_movielens --extra-index-url {index.simple}")
    assert "Requirement already satisfied: airflow_movielens" in said
    assert airflow_user.distributions()["airflow-movielens"] == "0.1.0"
    airflow_user.run("python -m pip uninstall --yes airflow-movielens")


def test_it_is_installed_from_the_expected_source(installed: Installed, index: Index, repository: Path) -> None:
    origin = {
        "folder": (installed.user.folder / "airflow-movielens").as_uri(),
        "git": repository.as_uri(),
        "index": f"{index.address}/packages/airflow_movielens-{__version__}-py3-none-any.whl",
    }[installed.way]
    found = {each["metadata"]["name"]: each["download_info"]["url"] for each in installed.report["install"]}
    assert found["airflow-movielens"].split("#")[0] == origin


def test_it_installs_the_files_of_its_package_and_nothing_else(installed: Installed, repository: Path) -> None:
    sources = (repository / "src").rglob("*")
    expected = {str(file.relative_to(repository / "src")) for file in sources if file.is_file()}
    command = "../../../bin/movielens"
    assert installed.user.installed_files("airflow-movielens") == {*expected, command}
    assert "No module named" in installed.user.run("python -c 'import airflow_movielens.of_the_book'", exit_code=1)


def test_it_installs_its_command(installed: Installed) -> None:
    assert installed.user.run("movielens --version").strip() == f"movielens {__version__}"


def test_it_installs_its_requirements_and_no_server(installed: Installed) -> None:
    after = installed.user.distributions()
    assert {name: after[name] for name in installed.before} == installed.before, "a package of Airflow was changed"
    assert after.keys() - installed.before.keys() == BROUGHT
    assert "No module named 'movielens_api'" in installed.user.run("python -c 'import movielens_api'", exit_code=1)
    installed.user.run("python -m pip check")


# The following tests run only once: every way installs the same files, and Airflow takes seconds to start.
once = pytest.mark.parametrize("installed", ["folder"], indirect=True)


@once
def test_airflow_lists_the_provider(installed: Installed) -> None:
    providers = json.loads(installed.user.run("airflow providers list --output json"))
    named = {provider["package_name"]: provider for provider in providers}
    assert "airflow-movielens" in named, "Airflow does not see it: is the entry point apache_airflow_provider there?"
    assert named["airflow-movielens"]["version"] == __version__
    # Airflow omits the full stop.
    assert named["airflow-movielens"]["description"] == get_provider_info()["description"].removesuffix(".")


@once
def test_airflow_runs_a_dag_with_it(installed: Installed, api: Api, run_dag: RunDag) -> None:
    run_dag(installed.user, api)


@once
def test_pip_adds_the_server_and_changes_nothing(installed: Installed, api: Api, ratings_folder: Path) -> None:
    before = installed.user.distributions()
    installed.user.run("cd airflow-movielens && python -m pip install ./movielens-api")
    after = installed.user.distributions()
    assert {name: after[name] for name in before} == before
    assert after["movielens-api"] == server_version
    installed.user.run("python -m pip check")
    with installed.user.serving(api, dataset=str(ratings_folder)) as its_own:
        installed.user.run(
            "movielens fetch --start-date 2000-11-20 --end-date 2000-11-21 --output-path ratings.json",
            MOVIELENS_HOST=its_own.base_url,
            MOVIELENS_USER=api.user,
            MOVIELENS_PASSWORD=api.password,
        )
    assert len(json.loads((installed.user.folder / "ratings.json").read_text())) == 1055
