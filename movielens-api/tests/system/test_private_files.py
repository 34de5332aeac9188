"""Only the owner can read what the server writes, and planted links are never followed."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import closing
from pathlib import Path

import pytest
from api_testing import Api, Launch, drained, url_of
from auth_testing import ANN, add, ann_and_ben

from movielens_api.auth.users_file import UsersFile
from movielens_api.errors import UserError
from movielens_api.middleware.rate_limit import Slots
from movielens_api.store import Store
from movielens_api.system import private_files
from movielens_api.system.atomic_files import create_folder, replace_file
from movielens_api.system.locks import FileLock
from movielens_api.table.catalogue import Catalogue


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): mode(path) for path in folder.rglob("*")}


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    """Return the file of somebody else to which links are planted."""
    bait = tmp_path / "bait"
    bait.write_text("precious")
    return bait


def test_everything_that_a_server_writes_is_private(launch: Launch, folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,7,4.0,86400\n1,8,4.0,damage\n")
    options = ("--dataset", str(folder), "--port", "0", "--data-dir", str(data), "--max-damaged", "0.5")
    before = os.umask(0)
    try:
        process = launch("serve", *options, "--rate-limit", "100")
        api = Api(drained(process))
    finally:
        os.umask(before)
    assert api.post([{"movieId": 7, "rating": 4.0, "timestamp": 20, "userId": 1}]).status_code == 201
    found = modes(data.parent)
    for name in ("ratings.db", "ratings.db-wal", "-ratings.csv", "manifest.json", "movieId.npy", "rate-limits"):
        assert any(path.endswith(name) for path in found), name
    assert {path: mode for path, mode in found.items() if mode & 0o077} == {}
    process.terminate()
    assert process.wait(30) == 0


def test_a_new_generation_is_private(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path / "store", small, compact_after=0) as store:
        store.add([(1, 7, 4.0, 20)]).result()
        store._tidy()
    found = modes(tmp_path)
    assert any("base-1" in path for path in found)
    assert {path: mode for path, mode in found.items() if mode & 0o077} == {}


@pytest.mark.parametrize("planted", ["a readable file", "a link", "a dangling link"])
def test_a_planted_file_beside_the_users_is_neither_kept_nor_followed(tmp_path: Path, bait: Path, planted: str) -> None:
    new = tmp_path / "users.new"
    if planted == "a readable file":
        new.touch(0o666)
        new.chmod(0o666)
    else:
        new.symlink_to(bait if planted == "a link" else tmp_path / "missing")
    file = ann_and_ben(tmp_path)
    assert mode(file.path) == 0o600
    assert not file.path.is_symlink()
    assert bait.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"bait", "users.json", "users.lock"}


def test_a_temporary_file_or_folder_of_a_killed_process_is_replaced(tmp_path: Path, bait: Path) -> None:
    (tmp_path / f".file.{os.getpid()}").symlink_to(bait)
    with replace_file(tmp_path / "file") as file:
        file.write(b"new")
    assert (bait.read_text(), (tmp_path / "file").read_text()) == ("precious", "new")
    (tmp_path / f".folder.{os.getpid()}").symlink_to(tmp_path)
    with pytest.raises(FileExistsError), create_folder(tmp_path / "folder"):
        pytest.fail("it is a link")
    assert bait.read_text() == "precious"


def test_a_lock_is_never_a_link(tmp_path: Path, bait: Path) -> None:
    (tmp_path / "users.lock").symlink_to(tmp_path / "missing")
    with pytest.raises(UserError, match=r"users\.lock is a symbolic link: remove it"):
        add(UsersFile(tmp_path), *ANN)
    assert not (tmp_path / "missing").exists()
    (tmp_path / "rate-limits").symlink_to(bait)
    with pytest.raises(Exception, match=r"rate-limits is a symbolic link: remove it"):
        Slots(tmp_path / "rate-limits")
    with pytest.raises(OSError, match="symbolic link"):
        FileLock(tmp_path / "rate-limits")
    assert bait.read_text() == "precious"


def test_a_database_is_never_a_link(small: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/ratings.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Exception, match=r"ratings\.db is a symbolic link: remove it"):
        Store(tmp_path / "store", small)
    assert not (tmp_path / "elsewhere.db").exists()


def test_existing_folders_and_files_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(0o755)
    private_files.make_folder(tmp_path / "shared/new/newer")
    assert modes(tmp_path) == {"shared": 0o755, "shared/new": 0o700, "shared/new/newer": 0o700}
    (tmp_path / "lock").touch(0o644)
    with closing(FileLock(tmp_path / "lock")):
        assert mode(tmp_path / "lock") == 0o644


@pytest.mark.parametrize(("bits", "warnings"), [(0o600, 0), (0o640, 1), (0o644, 2), (0o660, 2), (0o602, 2)])
def test_a_file_is_exposed_by_its_mode(tmp_path: Path, bits: int, warnings: int) -> None:
    path = tmp_path / "secret"
    assert private_files.exposure(path) is None
    path.touch()
    path.chmod(bits)
    found = [private_files.exposure(path), private_files.exposure(path, may_group=True)]
    assert found.count(None) == 2 - warnings
    assert warnings != 1 or found[0]


def test_readable_users_are_warned_about_at_the_start_and_later(launch: Launch, tmp_path: Path) -> None:
    users = ann_and_ben(tmp_path).path
    users.chmod(0o644)
    process = launch("serve", "--port", "0", "--data-dir", str(tmp_path))
    api = Api(url_of(process), ANN)
    users.write_text(users.read_text())
    assert [api.get("/users").status_code for _ in range(3)] == [200] * 3
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=30)[1]
    warning = f"other users of this computer can read or change {users}: run chmod 600 on it"
    assert f"movielens-api: {warning}\n" in errors
    assert errors.count(warning) == 2
