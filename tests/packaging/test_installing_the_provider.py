"""The three ways to install the provider, each into a fresh virtual environment that has Airflow."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_movielens import __version__
from airflow_movielens.provider import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.packaging.conftest import Index, Shell

# What Airflow does not bring by itself; a new name here means that a new dependency is wanted.
BROUGHT = {"airflow-movielens", "narwhals", "polars", "polars-runtime-32"}


class Installed(NamedTuple):
    """What somebody has who installed the provider."""

    user: Shell
    way: str
    before: dict[str, str]
    report: dict[str, Any]


@pytest.fixture(scope="module", params=["folder", "git", "index"])
def installed(
    request: pytest.FixtureRequest, new_airflow_user: Callable[[], Shell], repository: Path, index: Index
) -> Installed:
    user = new_airflow_user()
    before = user.distributions()
    if request.param == "folder":
        user.run(f"git clone --quiet '{repository}' airflow-movielens")
    command = {
        "folder": "python -m pip install ./airflow-movielens",
        "git": f"python -m pip install git+{repository.as_uri()}",
        "index": f"python -m pip install airflow_movielens --extra-index-url {index.simple}",
    }[request.param]
    user.run(command, PIP_REPORT="report.json")
    return Installed(user, request.param, before, json.loads((user.folder / "report.json").read_text()))


def test_it_comes_from_where_it_should(installed: Installed, index: Index, repository: Path) -> None:
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


def test_airflow_lists_the_provider(installed: Installed) -> None:
    providers = json.loads(installed.user.run("airflow providers list --output json"))
    named = {provider["package_name"]: provider for provider in providers}
    assert "airflow-movielens" in named, "Airflow does not see it: is the entry point apache_airflow_provider there?"
    assert named["airflow-movielens"]["version"] == __version__
    # Airflow leaves out the full stop.
    assert named["airflow-movielens"]["description"] == get_provider_info()["description"].removesuffix(".")


def test_airflow_imports_dags_that_use_it(installed: Installed, repository: Path, inside: Path) -> None:
    dags = installed.user.folder / "dags"
    shutil.copytree(repository / "dags", dags)
    shutil.copy(inside / "a_dag.py", dags)
    printed = installed.user.run(f"python '{inside / 'parse_dags.py'}' dags")
    found = json.loads(printed.splitlines()[-1])
    assert found["errors"] == {}
    assert {"all_that_the_provider_offers", "03_operator", "04_sensor"} <= set(found["dags"])


def test_it_brings_its_command(installed: Installed) -> None:
    assert installed.user.run("movielens --version").strip() == f"movielens {__version__}"


def test_what_pip_brought_is_enough_to_rank_ratings(installed: Installed, inside: Path) -> None:
    printed = installed.user.run(f"python '{inside / 'rank_ratings.py'}'")
    assert "movieId,avg_rating,num_ratings\n7,4.5,3\n" in printed


def test_it_brings_what_it_declares_and_no_server(installed: Installed) -> None:
    after = installed.user.distributions()
    assert {name: after[name] for name in installed.before} == installed.before, "a package of Airflow was changed"
    assert after.keys() - installed.before.keys() == BROUGHT
    assert "No module named 'movielens_api'" in installed.user.run("python -c 'import movielens_api'", exit_code=1)
    installed.user.run("python -m pip check")
