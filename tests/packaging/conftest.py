"""A repository with the files on disk, new virtual environments, built distributions, and a package index."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Api

    RunDag = Callable[["Shell", Api], None]

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).parent / "inside"
# 20 November 2000, and the moment at which Airflow runs it.
DAY_AT, RUN_AT = 974_678_400, "2000-11-21"
TOOLS = Path(sys.executable).parent
# The settings by which this machine reaches packages; no others (VIRTUAL_ENV, PYTHON*, AIRFLOW*, TWINE_*).
KEPT = re.compile(
    r"HOME|LANG|LC_\w+|TMPDIR|XDG_\w+|NETRC|PIP_\w+|UV_\w+|SSL_\w+|\w+_CA_BUNDLE|\w+_PROXY", re.IGNORECASE
)
SECONDS = 900


@dataclass(frozen=True)
class Shell:
    """Runs commands as a reader types them, in a folder, with an explicit environment."""

    folder: Path
    programs: Path
    constraints: Path

    def run(self, command: str, *, exit_code: int = 0, **variables: str) -> str:
        """Run ``command``, check its exit code, and return its output (with its errors, if it should fail)."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self._environment() | variables,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != exit_code:
            pytest.fail(f"$ {command}\nends with {done.returncode}, not {exit_code}:\n{done.stdout}{done.stderr}")
        return done.stdout if exit_code == 0 else done.stdout + done.stderr

    @contextmanager
    def serving(self, api: Api, dataset: str = "sample") -> Iterator[Api]:
        """Run the environment's own server with the user of another API."""
        log = self.folder / "server.log"
        command = [self.programs / "movielens-api", "serve", "--port", "0", "--dataset", dataset]
        own = {name: str(self.folder / name) for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
        environment = self._environment() | own | {"API_USER": api.user, "API_PASSWORD": api.password}
        with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
            try:
                while not (found := re.search(r"Listening on (\S+)", log.read_text())):
                    assert server.poll() is None, log.read_text()
                    time.sleep(0.1)
                yield replace(api, base_url=found[1])
            finally:
                server.terminate()

    def distributions(self) -> dict[str, str]:
        """Return the names and versions of all installed distributions."""
        listed = json.loads(self.run(f"'{TOOLS / 'uv'}' pip list --python python --format json"))
        return {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in listed}

    def installed_files(self, distribution: str) -> set[str]:
        """Return the files that a distribution has installed, without metadata and bytecode."""
        code = f"from importlib.metadata import files; print(*files('{distribution}'), sep='\\n')"
        files = self.run(f'python -c "{code}"').splitlines()
        return {file for file in files if ".dist-info/" not in file and not file.endswith(".pyc")}

    def _environment(self) -> dict[str, str]:
        others = [folder for folder in os.get_exec_path() if Path(folder) != TOOLS]
        return {
            "UV_CACHE_DIR": str(ROOT / ".cache/uv"),
            "PIP_CACHE_DIR": str(ROOT / ".cache/pip"),
            **{name: value for name, value in os.environ.items() if KEPT.fullmatch(name)},
            "PATH": os.pathsep.join([str(self.programs), *others]),
            "PIP_CONSTRAINT": str(self.constraints),
            "PIP_NO_INPUT": "1",
            "AIRFLOW_HOME": str(self.folder / "airflow-home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }


@dataclass(frozen=True)
class Index:
    """A running package index that holds only the packages uploaded to it."""

    address: str

    @property
    def simple(self) -> str:
        return f"{self.address}/simple/"


@pytest.fixture(scope="session")
def inside() -> Path:
    """Return the folder of the scripts that run inside a new virtual environment."""
    return INSIDE


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return the folder of the development tools."""
    return TOOLS


@pytest.fixture(scope="session")
def locked() -> list[str]:
    """Return the requirements of the demo's lock, which is also the lock for users who already have Airflow."""
    lock = (ROOT / "requirements/demo.lock").read_text()
    return [line.strip() for line in re.findall(r"^(\w\S+==[^\\\n]+)", lock, re.MULTILINE)]


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory, locked: list[str]) -> Path:
    """Return the locked versions, so that future releases change no result."""
    file = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    file.write_text("\n".join(locked))
    return file


@pytest.fixture(scope="session")
def until_the_lock(constraints: Path, locked: list[str]) -> Path:
    """Allow all releases up to the lock's, and every FastAPI, which determines Airflow's version."""
    file = constraints.with_name("until-the-lock.txt")
    file.write_text("\n".join(line.replace("==", "<=", 1) for line in locked if not line.startswith("fastapi==")))
    return file


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a git repository whose commit holds the files on disk as they are now, except ignored ones."""
    folder = tmp_path_factory.mktemp("remote") / "repository"
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all", "--force")
    who = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false")
    _git(folder, *who, "commit", "--quiet", "--no-verify", "--message", "What lies on disk")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@pytest.fixture(scope="session")
def new_user(tmp_path_factory: pytest.TempPathFactory, constraints: Path) -> Iterator[Callable[[], Shell]]:
    """Return a function that creates a shell in an empty folder, with a new virtual environment that holds only pip."""
    environments: list[Path] = []

    def make() -> Shell:
        folder = tmp_path_factory.mktemp("user")
        environment = tmp_path_factory.mktemp("environment") / "venv"
        environments.append(environment)
        Shell(folder, TOOLS, constraints).run(f"uv venv --quiet --seed '{environment}'")
        return Shell(folder, environment / "bin", constraints)

    yield make
    # Half a gigabyte each; pytest would keep those of the last three runs.
    for environment in environments:
        shutil.rmtree(environment)


@pytest.fixture(scope="session")
def new_airflow_user(new_user: Callable[[], Shell], locked: list[str]) -> Callable[[], Shell]:
    """Return a function that creates the shell of a user who has Airflow, without constraints on later changes."""

    def make() -> Shell:
        user = new_user()
        user.run(f"'{TOOLS / 'uv'}' pip install --quiet --python python -c '{user.constraints}' apache-airflow")
        installed = user.distributions()
        others = user.folder / "constraints-of-others.txt"
        others.write_text("\n".join(line for line in locked if line.partition("==")[0] not in installed))
        return replace(user, constraints=others)

    return make


@pytest.fixture(scope="session")
def ratings_folder(tmp_path_factory: pytest.TempPathFactory, truth: Any) -> Path:
    """Write the sample's ratings as files; some movies of the sample have no title."""
    folder = tmp_path_factory.mktemp("ratings")
    truth[["userId", "movieId", "rating", "timestamp"]].to_csv(folder / "ratings.csv", index=False)
    movies = truth[["movieId"]].drop_duplicates().assign(title="Any", genres="Drama")
    movies.to_csv(folder / "movies.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def run_dag(inside: Path, repository: Path, truth: Any) -> RunDag:
    """Return a function that runs a Dag, next to all example Dags, that fetches and ranks a day of real ratings."""
    day = truth[(truth["timestamp"] >= DAY_AT) & (truth["timestamp"] < DAY_AT + 86_400)]
    users = day.groupby("movieId")["userId"].nunique()

    def run(user: Shell, api: Api) -> None:
        shutil.copytree(repository / "dags", user.folder / "dags", dirs_exist_ok=True)
        shutil.copy(inside / "a_dag.py", user.folder / "dags")
        for name in ("ratings.json", "ranking.csv"):
            (user.folder / name).unlink(missing_ok=True)
        connection = {"conn_type": "movielens", "host": api.base_url, "login": api.user, "password": api.password}
        script = f"python '{inside / 'run_dag.py'}' dags all_that_the_provider_offers {RUN_AT}"
        found = json.loads(user.run(script, AIRFLOW_CONN_MOVIELENS=json.dumps(connection)).splitlines()[-1])
        assert found["errors"] == {}
        assert {"all_that_the_provider_offers", "03_operator", "04_sensor"} <= set(found["dags"])
        assert found["tasks"] == dict.fromkeys(["wait", "fetch", "rank", "popularity", "count_ratings"], "success")
        assert len(json.loads((user.folder / "ratings.json").read_text())) == len(day)
        _, *ranking = (user.folder / "ranking.csv").read_text().splitlines()
        assert {int(line.partition(",")[0]) for line in ranking} == set(users[users >= 3].index)

    return run


@pytest.fixture(scope="session")
def publisher(tmp_path_factory: pytest.TempPathFactory, constraints: Path, repository: Path) -> Shell:
    """Return the shell of a maintainer who has run the code in a clone and built both distributions."""
    shell = Shell(tmp_path_factory.mktemp("publisher"), TOOLS, constraints)
    shell.run(f"git clone --quiet '{repository}' airflow-movielens")
    clone = Shell(shell.folder / "airflow-movielens", TOOLS, constraints)
    clone.run("python -m compileall -q src movielens-api/src")
    clone.run("python -m build --outdir dist .")
    clone.run("python -m build --outdir dist movielens-api")
    return clone


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, publisher: Shell) -> Iterator[Index]:
    """Run a package index on a free loopback port, and upload both distributions."""
    folder = tmp_path_factory.mktemp("index")
    port = _free_port()
    options = f"--interface 127.0.0.1 --port {port} --disable-fallback --passwords . --authenticate ."
    command = [str(TOOLS / "pypi-server"), "run", *options.split(), str(folder)]
    with (folder / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            running = Index(f"http://127.0.0.1:{port}")
            _wait_for(running, server, folder / "server.log")
            publisher.run(
                f"python -m twine upload --repository-url {running.address} --username any --password any dist/*"
            )
            yield running
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(index: Index, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"{index.address}/health", timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the package index at {index.address} does not answer:\n{log.read_text()}")
