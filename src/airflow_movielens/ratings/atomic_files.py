"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_movielens.ratings.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file appears at ``path`` if the block succeeds, otherwise not at all.

    It lies beside ``path`` until it is flushed to the disk; then it is renamed, which replaces a file already there.
    """
    with partial_file(path) as partial:
        yield partial
        move_into_place(partial, path)


def create_whole(path: Path, content: bytes) -> None:
    """Write a small file that appears whole and replaces nothing; it is on the disk when this returns.

    Raises:
        FileExistsError: There is a file at ``path``.
    """
    with partial_file(path) as partial:
        partial.write_bytes(content)
        flush_to_disk(partial)
        # Unlike renaming, this fails if another process was faster.
        os.link(partial, path)
        flush_to_disk(path.parent)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, beside ``path``; what the block leaves there is removed.

    Files that killed processes left behind are removed too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_partials(path)
    # The extensions stay last, because they select the format.
    partial = path.with_name(f".partial-{uuid4().hex}-{path.name}")
    # Another process would remove a partial file that is not locked yet, so it gets its name once it is.
    unnamed = path.with_name(f".{uuid4().hex}")
    lock = try_lock(unnamed, create=True)
    try:
        if lock is not None:
            unnamed.replace(partial)
        yield partial
    finally:
        for left in (unnamed, partial):
            left.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def remove_dead_partials(path: Path) -> None:
    """Remove the files that processes killed in `partial_file` left beside ``path``."""
    partial_of_path = re.compile(rf"\.partial-[0-9a-f]{{32}}-{re.escape(path.name)}")
    for partial in path.parent.iterdir():
        if partial_of_path.fullmatch(partial.name) and (lock := try_lock(partial)) is not None:
            with suppress(OSError):
                partial.unlink()
            os.close(lock)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a small file that replaces ``path`` atomically; it is on the disk when this returns."""
    partial = path.with_name(f"{path.name}.new")
    partial.unlink(missing_ok=True)
    # A new file: a link of that name is not followed.
    with partial.open("xb") as file:
        file.write(content)
    move_into_place(partial, path)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a finished file within a file system; afterwards both the file and its name are on the disk."""
    flush_to_disk(source)
    source.replace(target)
    flush_to_disk(target.parent)


def flush_to_disk(path: Path) -> None:
    """Flush the content of a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
