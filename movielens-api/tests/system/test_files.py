"""Files and folders appear whole or not at all, and locks exclude other holders."""

from __future__ import annotations

import stat
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from movielens_api.system.atomic_files import create_folder, move_file, replace_file
from movielens_api.system.days import SECONDS_PER_DAY, day_of, format_time, start_of_day
from movielens_api.system.locks import FileLock


def test_a_replaced_file_is_whole_and_has_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replace_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="full"), replace_file(path) as file:
        file.write(b"ne")
        raise OSError("full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), create_folder(tmp_path / "folder") as beside:
        (beside / "file").write_bytes(b"half")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    with create_folder(tmp_path / "folder") as beside:
        (beside / "file").write_bytes(b"whole")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder/file").read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_moved_file_replaces_its_target(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    move_file(tmp_path / "new", tmp_path / "old")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"new")]


def test_a_lock_excludes_other_holders_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with closing(FileLock(path)) as one, closing(FileLock(path)) as other:
        with one:
            assert not other.acquire(blocking=False)
        assert other.acquire(blocking=False)
        other.release()
        assert one.acquire(blocking=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(FileLock(path)) as third:
        assert third.acquire(blocking=False)


def test_days_are_utc_days() -> None:
    day = date(2015, 3, 8)
    assert day_of(start_of_day(day)) == day_of(start_of_day(day) + SECONDS_PER_DAY - 1) == day
    assert start_of_day(date(1970, 1, 2)) == SECONDS_PER_DAY
    assert format_time(start_of_day(day) + 61) == "2015-03-08 00:01:01"
