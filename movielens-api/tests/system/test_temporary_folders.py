"""Temporary folders of killed servers are removed; those of others are not."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import pytest
from api_testing import Launch, children, is_alive, url_of

from movielens_api.store import Store
from movielens_api.system.temporary_folders import LOCK, PREFIX, TemporaryFolder
from movielens_api.table.catalogue import Catalogue


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # Python reads the variable TMPDIR only once


def dead_folder(parent: Path) -> Path:
    """Return a folder as a killed process leaves it."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    for name in (LOCK, "counter_1.db"):
        (folder / name).touch()
    return folder


def test_a_folder_lives_as_long_as_it_is_used(tmp_path: Path) -> None:
    with TemporaryFolder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
        with TemporaryFolder() as other:
            assert set(tmp_path.iterdir()) == {folder, other}
        assert {path.name for path in folder.iterdir()} == {LOCK, "file"}
    assert list(tmp_path.iterdir()) == []


def test_a_dead_folder_is_removed(tmp_path: Path) -> None:
    dead_folder(tmp_path)
    with TemporaryFolder() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_other_folders_stay(tmp_path: Path) -> None:
    elsewhere = dead_folder(tmp_path.parent)
    (tmp_path / f"{PREFIX}a-link").symlink_to(elsewhere)
    linked = tmp_path / f"{PREFIX}with-a-link"
    linked.mkdir()
    (linked / LOCK).symlink_to(elsewhere / LOCK)
    (tmp_path / f"{PREFIX}starting").mkdir()
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / LOCK).touch()
    before = sorted(tmp_path.rglob("*"))
    with TemporaryFolder():
        pass
    assert sorted(tmp_path.rglob("*")) == before
    assert {path.name for path in elsewhere.iterdir()} == {LOCK, "counter_1.db"}


def test_a_temporary_store_leaves_nothing(tmp_path: Path, small: Catalogue) -> None:
    store = Store.temporary(small)
    [folder] = tmp_path.iterdir()
    assert (folder / "ratings.db").exists()
    store.close()
    del store
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_server_leaves_nothing_after_the_next(
    launch: Launch, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("tmp")
    options = ("serve", "--dataset", str(folder), "--port", "0", "--workers", "2", "--data-dir", str(folder / "data"))
    killed = launch(*options, TMPDIR=str(temporary))
    url_of(killed)
    workers = children(killed)
    killed.kill()
    while any(is_alive(worker) for worker in workers):
        time.sleep(0.05)
    [left] = temporary.iterdir()
    following = launch(*options, TMPDIR=str(temporary))
    url_of(following)
    assert not left.exists()
    following.terminate()
    following.wait()
    assert list(temporary.iterdir()) == []
