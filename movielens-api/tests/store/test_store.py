"""The store: versions across threads, processes and restarts, compaction, and crashes."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import polars as pl
import pytest
from api_testing import Api, Launch, Serving, url_of
from mapping_testing import in_memory

from benchmarks.api import kill_9
from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.errors import StartupError
from movielens_api.store import Store, generations
from movielens_api.store.database import Files
from movielens_api.store.opening import DamagedStoreError
from movielens_api.store.row_log import Row
from movielens_api.store.versions import Versions
from movielens_api.store.writer import NotWrittenError, Writer
from movielens_api.table.base_files import open_base, write_base
from movielens_api.table.catalogue import Catalogue
from movielens_api.table.ratings_table import MAX_IN_TOP, RatingsTable
from movielens_api.table.snapshots import Snapshot, SnapshotGoneError
from movielens_api.table.sorted_run import Overlay

Contents = list[tuple[Any, ...]]
# So many posted ratings that a test can cause a compaction.
SHORT_LOG = 20
BETWEEN = re.compile(r"FROM log WHERE seq > (\d+) AND seq <= (\d+)")


def contents(snapshot: Snapshot) -> Contents:
    return snapshot.ratings.window().select("timestamp", "userId", "movieId", "rating").rows()


def post(store: Store, *rows: Row) -> int:
    return asyncio.run(store.post(rows)).version


def current(store: Store) -> Snapshot:
    return asyncio.run(store.current())


def find(store: Store, version: int) -> Snapshot:
    return asyncio.run(store.find(version))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def short_log_store(folder: Path, catalogue: Catalogue, **options: bool) -> Store:
    return Store(folder, catalogue, compact_after=SHORT_LOG, **options)  # type: ignore[arg-type]


def compacted(store: Store, times: int) -> None:
    """Post to a store with a short log until it is compacted, so many times."""
    for _ in range(times):
        number = store._versions.base.version
        version = post(store, *(a_row(random.Random(number + place)) for place in range(SHORT_LOG + 1)))
        until(lambda number=number: store._versions.base.version > number)
        assert store._versions.base.version <= version


def oldest_kept(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "ratings.db")) as connection:
        return generations.list_all(connection)[0].version


def a_row(chance: random.Random) -> Row:
    # Few values, so that many take the place of others.
    return chance.randint(1, 3), chance.randint(1, 3), chance.randint(1, 10) / 2, chance.randint(0, 9)


class Model:
    """The expected ratings of each version."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.latest = {(t, u, m): r for t, u, m, r in contents(Snapshot(b"", 0, catalogue.ratings))}
        self.versions = {0: self.expected()}

    def post(self, version: int, rows: list[Row]) -> None:
        self.latest.update({(t, u, m): r for u, m, r, t in rows})
        self.versions[version] = self.expected()

    def expected(self) -> Contents:
        return [(*key, rating) for key, rating in sorted(self.latest.items())]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))])
def test_every_version_holds_exactly_the_posts_before_it(small: Catalogue, tmp_path: Path, seed: int) -> None:
    chance, model = random.Random(seed), Model(small)
    for _restart in range(4):
        with short_log_store(tmp_path, small) as store, short_log_store(tmp_path, small, own=False) as other:
            for _ in range(chance.randint(1, 25)):
                rows = [a_row(chance) for _ in range(chance.randint(0, 8))]
                model.post(post(chance.choice([store, other]), *rows), rows)
                reader = chance.choice([store, other])
                assert contents(current(reader)) == model.versions[max(model.versions)]
                version = chance.choice(list(model.versions))
                try:
                    found = find(chance.choice([store, other]), version)
                except SnapshotGoneError:
                    assert version < oldest_kept(tmp_path)
                    continue
                assert contents(found) == model.versions[version]
                if chance.random() < 0.3:
                    store.lease(found)


def test_threads_post_and_read_while_the_log_is_compacted(small: Catalogue, tmp_path: Path) -> None:
    with short_log_store(tmp_path, small) as store, short_log_store(tmp_path, small, own=False) as other:
        store.index_users()

        def work(user: int) -> None:
            for number in range(40):
                posted = post([store, other][number % 2], (user, 1, 4.0, number))
                for reader in (store, other):
                    seen = current(reader)
                    assert seen.version >= posted
                    mine = seen.ratings.window().filter(userId=user)["timestamp"].to_list()
                    assert mine == list(range(number + 1))
                    assert seen.ratings.of_user(user).columns["timestamp"].tolist() == mine

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(100, 106)))
        assert store._versions.generation.number > 1
        assert contents(current(store)) == contents(current(other))
    with short_log_store(tmp_path, small) as store:
        assert len(current(store).ratings) == 3 + 6 * 40


def test_a_commit_is_noticed_while_other_threads_check_for_one(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, Store(tmp_path, small, own=False) as other:
        done = threading.Event()

        def check() -> None:
            while not done.is_set():
                other._versions.is_fresh()

        threads = [threading.Thread(target=check) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for second in range(20):
                posted = post(store, (5, 1, 4.0, second))
                assert current(other).version == posted
        finally:
            done.set()
            for thread in threads:
                thread.join()


def test_a_leased_version_is_kept_and_others_are_deleted(small: Catalogue, tmp_path: Path) -> None:
    with short_log_store(tmp_path, small) as store:
        unused, used = post(store, (1, 1, 4.0, 1)), post(store, (1, 1, 4.0, 2))
        expected = contents(current(store))
        compacted(store, 1)
        later = post(store, (1, 1, 4.0, 100))
        store.lease(find(store, later))
        compacted(store, 2)
    with short_log_store(tmp_path, small) as store:
        assert find(store, later).version == later
        for gone in (unused, used):
            with pytest.raises(SnapshotGoneError):
                find(store, gone)
        assert expected


@pytest.mark.parametrize("between", [0, 1])
def test_one_lease_keeps_all_versions_of_a_generation(small: Catalogue, tmp_path: Path, between: int) -> None:
    with short_log_store(tmp_path, small) as store:
        compacted(store, between)
        for number in range(10):
            version = post(store, (1, 1, 4.0, number))
            store.lease(find(store, version))
        expected = contents(find(store, version))
        compacted(store, generations.MAX_KEPT - 1)
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
            assert connection.execute("SELECT count(*) FROM leases").fetchone() == (1,)
    with short_log_store(tmp_path, small) as store:
        assert contents(find(store, version)) == expected


def test_leases_keep_only_so_many_generations(small: Catalogue, tmp_path: Path) -> None:
    with short_log_store(tmp_path, small) as store:
        store.lease(current(store))
        compacted(store, generations.MAX_KEPT - 1)
        assert find(store, 0).version == 0
        compacted(store, 1)
    assert len(list(tmp_path.glob("base-*"))) == generations.MAX_KEPT
    with short_log_store(tmp_path, small) as store, pytest.raises(SnapshotGoneError):
        find(store, 0)


@pytest.mark.parametrize("times", [0, 1])
def test_a_version_is_rebuilt_from_the_nearest_at_hand(small: Catalogue, tmp_path: Path, times: int) -> None:
    with short_log_store(tmp_path, small) as store:
        compacted(store, times)
        with short_log_store(tmp_path, small, own=False) as other:
            early = post(store, (5, 1, 4.0, 1))
            near = post(store, *((5, 1, 4.0, second) for second in range(10)))
            other._versions.refresh()
            late = post(store, (5, 1, 4.0, 11), (5, 1, 4.0, 12))
            expected = {version: contents(find(store, version)) for version in (late, late - 1, early)}
            base = other._versions.base.version
            # Without the files of the base, nothing can be opened again.
            for folder in tmp_path.glob("base-*"):
                shutil.rmtree(folder)
            statements: list[str] = []
            other._versions._reading.set_trace_callback(statements.append)
            assert {version: contents(find(other, version)) for version in expected} == expected
            asked = [tuple(map(int, found)) for each in statements for found in BETWEEN.findall(each)]
            assert asked == [(near, late), (near, late - 1), (base, early)]


def test_a_generation_that_is_retired_while_it_is_opened(
    small: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_log_store(tmp_path, small) as store, short_log_store(tmp_path, small, own=False) as other:
        compacted(store, 1)
        post(store, (5, 1, 4.0, 1))
        version = post(store, (5, 1, 4.0, 2))
        expected = contents(current(store))
        other._versions.refresh()
        with after_the_next(Versions._open, lambda: compacted(store, 2)) as meanwhile:
            other._versions.rebase()
        assert not meanwhile
        assert other.latest.version == version
        assert contents(other.latest) == expected
        assert contents(current(other)) == contents(current(store))


def test_a_version_that_goes_while_it_is_rebuilt_is_gone(small: Catalogue, tmp_path: Path) -> None:
    with short_log_store(tmp_path, small) as store:
        compacted(store, 1)
        version = post(store, (5, 1, 4.0, 1))
        compacted(store, 1)
        with short_log_store(tmp_path, small, own=False) as other:
            with after_the_next(Versions._open, lambda: compacted(store, 2)) as meanwhile:
                with pytest.raises(SnapshotGoneError):
                    find(other, version)
            assert not meanwhile


@contextmanager
def after_the_next(function: Callable[..., Any], meanwhile: Callable[[], None]) -> Iterator[list[Callable[[], None]]]:
    """Call ``meanwhile`` once, after this thread or one that starts in the block has called a function.

    A profiler sees that moment, and replaces nothing. The yielded list is empty after the call.
    """
    left = [meanwhile]

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is function.__code__ and left:
            left.pop()()

    for module in (sys, threading):
        module.setprofile(watch)
    try:
        yield left
    finally:
        for module in (sys, threading):
            module.setprofile(None)  # type: ignore[arg-type]


class InterruptedTable(RatingsTable):
    """A table that calls a function once while it is folded."""

    meanwhile: ClassVar[list[Callable[[], None]]] = []

    def folded(self) -> RatingsTable:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().folded()


class ThinInterruptedTable(InterruptedTable):
    """Such a table, in which every post is a layer of its own."""

    max_in_top = 1


def interrupted(catalogue: Catalogue, kind: type[InterruptedTable] = InterruptedTable) -> Catalogue:
    return Catalogue(catalogue.name, kind(catalogue.ratings.window()), catalogue.movies)


def test_folding_keeps_its_result_when_others_post_during_it(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, Store(tmp_path, interrupted(small), own=False) as other:
        for first in (0, MAX_IN_TOP):
            post(store, *((5, 1, 4.0, second) for second in range(first, first + MAX_IN_TOP)))
            other._versions.refresh()
        assert overlays(other.latest) == 2

        def post_meanwhile() -> None:
            post(store, (6, 1, 4.0, 1))
            other._versions.refresh()
            assert overlays(other.latest) == 3

        InterruptedTable.meanwhile.append(post_meanwhile)
        other._versions.fold()
        assert not InterruptedTable.meanwhile
        assert overlays(other.latest) == 2
        assert contents(other.latest) == contents(current(store))


def test_folding_does_not_lead_back_to_a_base_that_was_left(small: Catalogue, tmp_path: Path) -> None:
    thin = interrupted(small, ThinInterruptedTable)
    with short_log_store(tmp_path, small) as store, short_log_store(tmp_path, thin, own=False) as other:
        compacted(store, 1)
        for second in (20, 21):
            post(store, *((user, 1, 4.0, second) for user in range(10)))
            other._versions.refresh()
        assert overlays(other.latest) > 1
        InterruptedTable.meanwhile.append(other._versions.rebase)
        other._versions.fold()
        assert not InterruptedTable.meanwhile
        layer = other.latest.ratings._layer
        assert isinstance(layer, Overlay)
        assert layer.below is other._versions.base.ratings._layer
        assert contents(other.latest) == contents(current(store))


def overlays(snapshot: Snapshot) -> int:
    layer, found = snapshot.ratings._layer, 0
    while isinstance(layer, Overlay):
        layer, found = layer.below, found + 1
    return found


def test_a_version_that_never_existed_is_gone(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, pytest.raises(SnapshotGoneError):
        find(store, 1)


def test_one_server_has_a_store(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small):
        with pytest.raises(StartupError, match=rf"process {os.getpid()} .*--data-dir"):
            Store(tmp_path, small)
        with Store(tmp_path, small, own=False) as worker:
            assert post(worker, (1, 1, 4.0, 1)) == 1
    with Store(tmp_path, small) as store:
        assert current(store).version == 1


def test_the_lock_is_held_as_long_as_a_worker_lives(small: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path, small)
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[store.fileno()])
    store.close()
    with pytest.raises(StartupError, match="serves this dataset already"):
        Store(tmp_path, small)
    worker.communicate(b"\n")
    Store(tmp_path, small).close()


def changed(catalogue: Catalogue) -> Catalogue:
    return Catalogue("changed", catalogue.ratings.window().with_columns(rating=pl.lit(1.0)), catalogue.movies)


def test_a_changed_dataset_with_posts_is_refused(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store:
        post(store, (1, 1, 4.0, 1))
    with pytest.raises(StartupError, match=f"dataset changed changed since 1 ratings .*small.*move {tmp_path} away"):
        Store(tmp_path, changed(small))
    with Store(tmp_path, small) as store:
        assert current(store).version == 1


def test_a_changed_dataset_without_posts_is_fine(small: Catalogue, tmp_path: Path) -> None:
    Store(tmp_path, small).close()
    with Store(tmp_path, changed(small)) as store:
        assert post(store, (1, 1, 4.0, 1)) == 1


@pytest.mark.parametrize("damaged", ["ratings.db", "base-1/rating.npy", "base-1/manifest.json"])
def test_a_damaged_store_is_refused(small: Catalogue, tmp_path: Path, damaged: str) -> None:
    with short_log_store(tmp_path, small) as store:
        compacted(store, 1)
    path = tmp_path / damaged
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), 97):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedStoreError, match=f"{tmp_path}.*backup"):
        short_log_store(tmp_path, small)


def test_a_store_of_another_version_is_refused(small: Catalogue, tmp_path: Path) -> None:
    Store(tmp_path, small).close()
    with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StartupError, match="another version"):
        Store(tmp_path, small)


def test_a_folder_that_cannot_be_made_is_refused(small: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match="--data-dir"):
        Store(tmp_path / "file" / "store", small)


def test_leftovers_of_a_crash_are_removed(small: Catalogue, tmp_path: Path) -> None:
    Store(tmp_path, small).close()
    write_base(small.ratings, tmp_path / "base-7")
    (tmp_path / ".base-8.123").mkdir()
    with Store(tmp_path, small) as store:
        assert not list(tmp_path.glob("*base*"))
        assert len(current(store).ratings) == 3


def test_a_failed_compaction_is_retried_later(
    small: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with short_log_store(tmp_path, small) as store:
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
            connection.execute(
                "CREATE TRIGGER fail BEFORE INSERT ON generations BEGIN SELECT RAISE(ABORT, 'fails'); END"
            )
        rows = [(5, 1, 4.0, second) for second in range(SHORT_LOG + 1)]
        post(store, *rows)
        until(lambda: "compaction failed" in caplog.text and not store._compactor._running.locked())
        assert (tmp_path / "base-1").exists()
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
            connection.execute("DROP TRIGGER fail")
        post(store, (6, 1, 4.0, 1))
        assert not store._compactor._running.locked(), "it waits a while"
        assert contents(current(store))[1] == (1, 5, 1, 4.0)
        store._compactor._not_before = 0
        compacted(store, 1)
        assert caplog.text.count("compaction failed") == 1
        expected = contents(current(store))
    with short_log_store(tmp_path, small) as store:
        assert contents(current(store)) == expected


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
def test_nothing_is_lost_duplicated_or_torn_by_kills(tmp_path: Path, kills: int) -> None:
    result = kill_9.campaign(kills=kills, folder=tmp_path)
    assert (result.lost, result.duplicated, result.torn) == (0, 0, 0), result
    assert result.kills == kills
    assert any(batch.is_acknowledged for batch in result.batches)
    # Kills are to hit compactions too.
    assert result.generations > 1


CRASH_IN_COMPACTION = """
import asyncio, os, sys, threading
from pathlib import Path
from movielens_api import datasets
from movielens_api.store import Store

store = Store(Path(sys.argv[1]), datasets.load(sys.argv[2]), compact_after=20)
def crash(frame, event, argument):  # a profiler, because a kill from outside does not hit a certain step
    code = frame.f_code
    if event == "return" and f"{Path(code.co_filename).stem}.{code.co_name}" == sys.argv[3]:
        os.kill(os.getpid(), 9)
threading.setprofile(crash)

asyncio.run(store.post([(1, 1, 4.0, second) for second in range(100, 121)]))
print("posted", flush=True)
asyncio.run(asyncio.sleep(60))
"""


@pytest.mark.parametrize(
    "crash", ["base_files._write_columns", "base_files.write_base", "generations.add", "generations.retire"]
)
def test_a_crash_within_a_compaction_changes_nothing(tmp_path: Path, folder: Path, crash: str) -> None:
    from movielens_api import datasets

    command = [sys.executable, "-c", CRASH_IN_COMPACTION, str(tmp_path / "store"), str(folder), crash]
    died = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert died.returncode == -signal.SIGKILL, died.stderr
    with Store(tmp_path / "store", datasets.load(str(folder))) as store:
        assert store.found.posted == 21
        assert store.found.crashed
        assert len(current(store).ratings) == 24
        assert not list((tmp_path / "store").glob("*base*"))


def test_the_start_after_a_crash_reports_the_recovered_ratings(launch: Launch, folder: Path, tmp_path: Path) -> None:
    options = ["--dataset", str(folder), "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = launch("serve", *options)
    Api(url_of(process)).post([{"userId": 1, "movieId": 7, "rating": 4.0, "timestamp": t} for t in (1, 2)])
    process.kill()
    process.wait()
    process = launch("serve", *options)
    assert process.stdout
    process.stdout.readline()
    said = process.stdout.readline()
    assert said.startswith(f"Recovered 2 posted ratings after a crash, kept in {tmp_path / 'data' / 'store'}")
    assert "; the last one was posted at 2" in said
    assert Api(url_of(process)).json("/ratings", limit=0)["total"] == 5


def test_an_idle_server_gives_back_the_memory_of_mapped_ratings(
    serving: Serving, small: Catalogue, tmp_path: Path
) -> None:
    write_base(small.ratings, tmp_path / "base")
    mapped = Catalogue("mapped", open_base(tmp_path / "base"), small.movies)
    store = Store(tmp_path / "store", mapped, idle_seconds=0.1)
    with store, serving(create_app(mapped, DEFAULT, store=store)) as api:
        for _ in range(2):
            rows = api.json("/ratings", limit=10_000)["result"]
            assert len(rows) == len(mapped.ratings)
            until(lambda: in_memory(tmp_path / "base") == 0)


@pytest.fixture
def two(serving: Serving, small: Catalogue, tmp_path: Path) -> Iterator[tuple[Api, Api]]:
    with Store(tmp_path, small) as store, Store(tmp_path, small, own=False) as other:
        with serving(create_app(small, DEFAULT, store=store)) as one:
            with serving(create_app(small, DEFAULT, store=other)) as another:
                yield one, another


def test_two_servers_of_one_store_are_one(two: tuple[Api, Api]) -> None:
    row = {"userId": 5, "movieId": 7, "rating": 4.0}
    for number in range(20):
        writer, reader = two[number % 2], two[1 - number % 2]
        posted = writer.post([{**row, "timestamp": number}], idempotency_key=f"key-{number}")
        again = reader.post([{**row, "timestamp": number}], idempotency_key=f"key-{number}")
        assert again.headers["idempotency-replayed"] == "true"
        response = reader.ask("/ratings?limit=2&offset=1")
        assert response.headers["snapshot"] == posted.headers["snapshot"] == again.headers["snapshot"]
        assert response.json()["total"] == 4 + number
        following = response.links["next"]["url"]
        assert writer.ask("/ratings" + following).content == reader.ask("/ratings" + following).content
        assert {user["userId"]: user["num_ratings"] for user in reader.json("/users")["result"]}[5] == number + 1


def test_a_process_that_slept_through_generations_catches_up(small: Catalogue, tmp_path: Path) -> None:
    with short_log_store(tmp_path, small) as store, short_log_store(tmp_path, small, own=False) as other:
        assert current(other).version == 0
        compacted(store, 3)
        assert contents(current(other)) == contents(current(store))


def test_a_committed_post_is_acknowledged_even_if_it_cannot_be_read_back(
    small: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with Store(tmp_path, small) as store:
        writer = Writer(Files(tmp_path), publish=fail, tidy=lambda: None)
        assert writer.post([(5, 1, 4.0, 1)], None).result(30).version == 1
        writer.close()
        assert "disk I/O error" in caplog.text
        assert len(current(store).ratings) == 4


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from movielens_api import datasets
from movielens_api.store import Store
from movielens_api.store.writer import NotWrittenError

store = Store(Path(sys.argv[1]), datasets.load(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rows = [(1, 1, 4.0, second) for second in range(100, 10_100)]
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
try:
    asyncio.run(store.post(rows))
except NotWrittenError as error:
    print(error)
print(len(asyncio.run(store.current()).ratings))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
asyncio.run(store.post(rows))
print(len(asyncio.run(store.current()).ratings))
store.close()
"""


def test_a_full_disk_adds_nothing_and_later_all(tmp_path: Path, folder: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "store"), str(folder)]
    said = subprocess.check_output(command, text=True, timeout=120).splitlines()
    assert said[1:] == ["3", "10003"]
    assert said[0]


def deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replaced(folder: Path) -> None:
    """As by a backup that is put back while the server runs."""
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def without_log(folder: Path) -> None:
    (folder / "ratings.db-wal").unlink()


@pytest.mark.parametrize("way", [deleted, moved, replaced, without_log])
def test_a_store_whose_files_are_gone_acknowledges_nothing(
    small: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: Callable[[Path], None]
) -> None:
    with Store(tmp_path / "store", small) as store:
        assert post(store, (1, 7, 4.0, 20)) == 1
        way(tmp_path / "store")
        for _ in range(2):
            with pytest.raises(NotWrittenError, match="deleted, moved or replaced"):
                post(store, (1, 7, 4.0, 21))
        assert len(current(store).ratings) == len(small.ratings) + 1
    [record] = caplog.records
    assert "until then, posts are refused" in record.getMessage()
    if (tmp_path / "store").exists():
        with Store(tmp_path / "store", small) as store:
            assert len(current(store).ratings) == len(small.ratings) + 1


def test_a_store_that_is_back_is_written_again(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path / "store", small) as store:
        moved(tmp_path / "store")
        with pytest.raises(NotWrittenError):
            post(store, (1, 7, 4.0, 20))
        (tmp_path / "elsewhere").rename(tmp_path / "store")
        assert post(store, (1, 7, 4.0, 20)) == 1
