"""How much of object storage is copied, with a file system that says how far it is."""

from __future__ import annotations

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_movielens.storage.copy_limit import CopyLimit, CopyLimitError, LimitedCopy


def test_a_file_over_the_limit_is_not_copied_and_leaves_room_for_others(tmp_path):
    storage = MemoryFileSystem()
    for name, size in {"a": 60, "b": 50, "c": 40}.items():
        storage.pipe_file(f"/copy-limit/{name}", b"x" * size)
    limit = CopyLimit(100)

    def copy(name):
        storage.get_file(f"/copy-limit/{name}", str(tmp_path / name), callback=LimitedCopy(limit))
        return (tmp_path / name).stat().st_size

    assert copy("a") == 60
    with pytest.raises(CopyLimitError):
        copy("b")
    assert (tmp_path / "b").stat().st_size == 0
    assert copy("c") == 40
    with pytest.raises(CopyLimitError):
        copy("c")


def test_a_file_of_unknown_size_is_counted_while_it_is_copied():
    progress = LimitedCopy(CopyLimit(100))
    progress.set_size(None)
    progress.relative_update(60)
    progress.relative_update(40)
    with pytest.raises(CopyLimitError):
        progress.relative_update(1)
