"""Links and folders that another user planted: nothing behind them is written, and only names that we write go."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest
from unit import fetch_process
from unit.catalogue_processes import record_of
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.client import FatalError
from airflow_movielens.client.fetch.checkpoint import FileCheckpoints
from airflow_movielens.client.fetch.workdirs import claimed_folder, scratch_folder
from airflow_movielens.ratings.atomic_files import write_whole
from airflow_movielens.ratings.locks import try_lock
from airflow_movielens.ratings.own_folders import is_own_folder, refuse_foreign_link
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.rebuilding import rebuild

ROWS = ratings(1_030)
KEY = "0" * 16
# Also names that a fetch writes.
THEIRS = ["thesis.tex", "lock", "checkpoint.json", "checkpoint.json.new", "0123abcd-0.arrow", "0123abcd-r.csv"]
SOMEBODY = 12_345


@pytest.fixture
def victim(tmp_path):
    """Return a folder with files that must stay as they are."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in THEIRS:
        (folder / name).write_text(name)
    return folder


def check_untouched(folder):
    assert {file.name: file.read_text() for file in folder.iterdir()} == {name: name for name in THEIRS}


@pytest.fixture(scope="module")
def server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "days" / "r.csv"
    path.parent.mkdir()
    return path


@contextmanager
def broken_off(output):
    """Serve the rows after a fetch that stopped in the middle; yield the URL and the folder that it left."""
    with serve(lambda _, query, number: Response({}, 401) if number == 12 else page_of(ROWS, query)) as server:
        with pytest.raises(FatalError):
            # One request at a time: otherwise the 12th may be refused before anything is written.
            fetch_process.fetch(server.base_url, output, concurrency=1)
        (folder,) = output.parent.glob(".partial-*")
        server.requests += server.requests  # so that no request is the 12th again
        yield server.base_url, folder


def test_a_fetch_does_not_take_over_a_link_in_place_of_its_folder(output, victim):
    # The name of the folder follows from the address, the user and the window, which others may know.
    with broken_off(output) as (url, folder):
        folder.rename(output.parent / "elsewhere")
        folder.symlink_to(victim)
        fetch_process.fetch(url, output)
    check_untouched(victim)
    assert output.read_text().count("\n") == 1_031
    assert folder.is_symlink()


@pytest.mark.parametrize(
    "name", [f".partial-r.csv-{KEY}", f".partial-r.csv-{'1' * 16}", f".partial-r.csv-{KEY}-0123abcd"]
)
def test_a_link_named_as_the_folder_of_an_attempt_is_neither_used_nor_cleaned(output, victim, name):
    output.with_name(name).symlink_to(victim)
    with claimed_folder(output, KEY) as folder:
        assert folder.is_dir()
        assert not folder.is_symlink()
    check_untouched(victim)


def test_only_names_that_a_fetch_writes_are_removed(server, output):
    left = output.with_name(f".partial-r.csv-{'1' * 16}")
    left.mkdir()
    for name in ("notes.txt", "0123abcd-0.arrow", "lock", "checkpoint.json"):
        (left / name).touch()
    fetch_process.fetch(server.base_url, output)
    (kept,) = output.parent.glob(".partial-*")
    assert [file.name for file in kept.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("mode", [None, 0o777])
def test_the_folder_of_a_fetch_is_private(output, mode):
    folder = output.with_name(f".partial-r.csv-{KEY}")
    if mode:
        folder.mkdir()
        folder.chmod(mode)
    with claimed_folder(output, KEY) as claimed:
        assert claimed == folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def foreign_folder(beside):
    """Return a folder of another user."""
    if os.geteuid() != 0:
        return Path("/usr")
    folder = beside.with_name(f".partial-r.csv-{KEY}")
    folder.mkdir(0o777)
    os.chown(folder, SOMEBODY, -1)
    return folder


def test_a_folder_of_another_user_is_not_ours(output):
    folder = foreign_folder(output)
    assert not is_own_folder(folder)
    with claimed_folder(output, KEY) as claimed:
        assert claimed != folder
    assert sorted(output.parent.iterdir()) == [path for path in [folder] if path.parent == output.parent]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create files as another user")
def test_a_folder_is_ours_on_a_share_that_gives_all_files_to_one_user(output):
    # Linux has an identity for files alone, with which it behaves as such a share does.
    os.chown(output.parent, SOMEBODY, -1)
    code = (
        "import ctypes, os, sys; from pathlib import Path\n"
        "from airflow_movielens.client.fetch.workdirs import claimed_folder\n"
        f"os.chdir(sys.argv[1]); ctypes.CDLL(None).setfsuid({SOMEBODY})\n"
        f"with claimed_folder(Path('r.csv'), {KEY!r}) as first: (first / '0123abcd-0.arrow').touch()\n"
        f"assert first.stat().st_uid == {SOMEBODY} != os.geteuid()\n"
        f"with claimed_folder(Path('r.csv'), {KEY!r}) as second: (second / '0123abcd-0.arrow').unlink()\n"
        "assert first == second; assert list(Path().iterdir()) == []"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(output.parent)], check=True, env=environment)


@pytest.mark.parametrize("write", [lambda path: write_whole(path, b"new"), lambda path: FileCheckpoints(path).save({})])
def test_a_file_is_not_written_through_a_link(tmp_path, victim, write):
    (tmp_path / "c.json.new").symlink_to(victim / "thesis.tex")
    (tmp_path / "c.json").symlink_to(victim / "thesis.tex")
    write(tmp_path / "c.json")
    check_untouched(victim)
    assert not (tmp_path / "c.json").is_symlink()


def test_a_link_is_not_locked_and_no_file_is_created_behind_it(tmp_path, victim):
    (tmp_path / "lock").symlink_to(victim / "new")
    (tmp_path / "other").symlink_to(victim / "lock")
    assert try_lock(tmp_path / "lock", create=True) is None
    assert try_lock(tmp_path / "other") is None
    check_untouched(victim)


def test_links_among_temporary_folders_are_not_cleaned(tmp_path, temporary_folder, victim):
    link = tmp_path / "airflow-movielens-abcdefgh"
    link.symlink_to(victim)
    longer = tmp_path / "airflow-movielens-of-somebody"
    longer.mkdir()
    (longer / "lock").touch()
    with scratch_folder():
        check_untouched(victim)
    assert link.is_symlink()
    assert (longer / "lock").exists()


def test_a_checkpoint_cannot_name_files_outside_of_its_folder(output, caplog):
    with broken_off(output) as (url, folder):
        seal_with_files(folder / "checkpoint.json", ["../../secret"])
        fetch_process.fetch(url, output)
    assert "the checkpoint names files that a fetch does not write" in caplog.text
    assert output.read_text().count("\n") == 1_031


def seal_with_files(file, names):
    """Let a checkpoint name other files, with a seal that fits."""
    values = json.loads(file.read_bytes()) | {"files": names}
    sealed = {name: value for name, value in values.items() if name not in ("saved_at", "seal")}
    file.write_text(json.dumps(values | {"seal": crc32(json.dumps(sealed, sort_keys=True).encode())}))


def test_a_link_of_our_own_user_may_be_followed(tmp_path):
    (tmp_path / "mine").symlink_to(tmp_path)
    refuse_foreign_link(tmp_path / "mine")
    refuse_foreign_link(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
@pytest.mark.parametrize("name", ["history", "models"])
def test_a_registry_is_not_written_through_a_link_of_another_user(tmp_path, victim, name):
    registry = ModelRegistry(tmp_path / "registry")
    registry.folder.mkdir()
    plant(registry.folder / name, victim)
    with pytest.raises(PermissionError, match="a symbolic link of another user"):
        registry.register(tmp_path / "model.npz", by="ada", reason="a test")
    check_untouched(victim)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
@pytest.mark.parametrize("name", [".", "fetch", "fetch/2015-03", "runs"])
def test_a_catalogue_is_not_written_through_a_link_of_another_user(tmp_path, victim, name):
    plant(tmp_path / ".movielens-catalogue" / name, victim)
    with pytest.raises(PermissionError, match="a symbolic link of another user"):
        Catalogue(str(tmp_path)).add(record_of(0))
    check_untouched(victim)


def plant(link, target):
    """Create a link of another user."""
    link.parent.mkdir(exist_ok=True, parents=True)
    link.symlink_to(target)
    os.lchown(link, SOMEBODY, -1)


def test_a_catalogue_removes_only_the_files_that_it_writes(tmp_path):
    catalogue = tmp_path / ".movielens-catalogue"
    theirs = [catalogue / "runs/0/settings.json", catalogue / "fetch/2015-03/package.json"]
    for file in theirs:
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    rebuild(str(tmp_path), lambda _: None)
    assert all(file.read_text() == "{}" for file in theirs)
