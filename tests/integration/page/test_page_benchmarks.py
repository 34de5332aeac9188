"""The harness of `make bench-page`, with a small data root."""

from __future__ import annotations

import asyncio
import threading
from html import unescape
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.records import KINDS
from benchmarks.failure import BenchmarkError
from benchmarks.memory import Memory
from benchmarks.page import report
from benchmarks.page.__main__ import measure
from benchmarks.page.api_server import AirflowHome, RunningServer, Storage
from benchmarks.page.bare_page import app
from benchmarks.page.browser import Times, chromium, logged_in, open_view
from benchmarks.page.object_storage import ADDRESS
from benchmarks.page.root import write_copy, write_root
from benchmarks.page.rounds import AFTER, BEFORE, LOOKED, OFF, PEAK, Rounds
from benchmarks.page.size import Size
from benchmarks.page.views import BARE, FRAME, LIMITS, View, views

# The Dags of `06_partitioned.py`, whose results the data root has, need it.
pytestmark = pytest.mark.airflow("3.3")

SIZE = Size(days=70, movies=60, model=40, users=30, ranked=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "data"
    folder.mkdir()
    write_root(folder, SIZE)
    return folder


@pytest.fixture
def served_bare():
    """Serve the bare page, as a server that is being measured."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Mount("/bare", app)]), port=0, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield RunningServer(f"http://127.0.0.1:{port}", 0, "no token")
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("view", views(SIZE), ids=lambda view: view.name)
def test_each_view_shows_what_it_is_about(view, root, page, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(root))
    response = page.get(f"/{view.path}")
    assert response.status_code == 200, response.text
    assert view.text in unescape(response.text)


def test_a_copy_for_object_storage_has_everything_but_the_models(root, tmp_path):
    write_copy(tmp_path / "copy", root, ADDRESS, SIZE)
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*.csv")}
    assert copied == {str(path.relative_to(root)) for path in root.rglob("*.csv")}
    assert len(copied) == 4 * SIZE.ranked
    assert not list((tmp_path / "copy").rglob("*.npz"))
    catalogues = [Catalogue(str(folder)) for folder in (root, tmp_path / "copy")]
    for kind in KINDS:
        local, remote = (catalogue.records(kind).records for catalogue in catalogues)
        is_local = kind in ("training", "evaluation", "promotion")
        assert [record.path.replace(str(root), ADDRESS) if not is_local else record.path for record in local] == [
            record.path for record in remote
        ]
        assert remote


def test_a_page_is_timed_in_chromium(served_bare):
    with chromium() as browser, logged_in(browser, served_bare) as window:
        times = open_view(window, served_bare, BARE)
        assert 0 < times.server < times.paint
        assert times.kilobytes > 0
        assert min(times.load, times.complete) > times.server
        with pytest.raises(BenchmarkError, match="has the status 404"):
            open_view(window, served_bare, View("missing", "bare/missing", "h1", ""))
        window.set_default_timeout(100)
        window.set_default_navigation_timeout(30_000)
        with pytest.raises(BenchmarkError, match="bare/ does not show 'Full': Bare"):
            open_view(window, served_bare, View("wrong", "bare/", "h1", "Full"))


def test_targets_are_judged():
    rounds = Rounds(home=None, views=views(SIZE)[:2])
    storages = [
        Storage(name, "/data", Path("python"), seconds) for name, seconds in (("local files", 1.0), ("S3", 2.0))
    ]
    for storage, milliseconds, more in zip(storages, (999.0, 2001.0), (31.0, 30.0), strict=True):
        for view in (*LIMITS, *rounds.views, FRAME):
            paint = milliseconds if view == rounds.views[1] else 100.0
            rounds.cold[storage, view] = [Times(50.0, 9.4, paint, 120.0, 130.0)]
            rounds.warm[storage, view] = [Times(40.0, 9.4, 60.0, 70.0, 80.0)]
        memory = {OFF: 200.0, LOOKED: 205.0, BEFORE: 201.0, AFTER: 205.0 + more, PEAK: 400.0}
        for state, megabytes in memory.items():
            rounds.memory[storage, state] = [Memory(megabytes + 20, megabytes, megabytes - 5)]
    written = report.write(rounds, ["a note"])
    assert written.startswith("- a note\n\n**local files**: opened in a window with an empty cache")
    assert "| partitions | 50 | 999 | 120 | 130 | 60 | 9 |" in written
    assert f"| {OFF} | 220 | 200 | 195 |" in written
    assert [line.strip("| ").split(" | ") for line in written.splitlines()[-4:]] == [
        ["local files: first paint of each view within 1 s", "1.00 s (partitions)", "yes"],
        [
            "local files: the page takes at most 30 MB (PSS) beyond Airflow's storage libraries",
            "+31 MB, and +5 MB for those",
            "NO",
        ],
        ["S3: first paint of each view within 2 s", "2.00 s (partitions)", "NO"],
        [
            "S3: the page takes at most 30 MB (PSS) beyond Airflow's storage libraries",
            "+30 MB, and +5 MB for those",
            "yes",
        ],
    ]


@pytest.mark.long
def test_a_whole_run(tmp_path):
    rounds = measure(tmp_path / "run", SIZE, 1, with_s3=False)
    assert isinstance(rounds.home, AirflowHome)
    assert {view for _, view in rounds.cold} == {*LIMITS, *views(SIZE), FRAME}
    written = report.write(rounds, [])
    assert written.count(" ms") > 3
