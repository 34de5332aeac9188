"""A table of ratings as files: columns that are mapped into memory as they are, so that processes share them.

A folder contains a ``.npy`` file per column, the users, and a manifest with checksums. It appears whole or not at all.
"""

from __future__ import annotations

import json
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from movielens_api.system.atomic_files import create_folder
from movielens_api.system.json_values import parse_json
from movielens_api.table.ratings_table import RatingsTable
from movielens_api.table.sorted_run import DTYPES, Digest, SortedRun

if TYPE_CHECKING:
    from mmap import mmap
    from pathlib import Path


MANIFEST = "manifest.json"
_USERS = "users.arrow"
_ROWS_AT_ONCE = 1 << 18
_BYTES_AT_ONCE = 1 << 24


class DamagedBaseError(Exception):
    """A folder does not contain what ``write_base`` wrote."""


def write_base(table: RatingsTable, folder: Path) -> None:
    """Write a table as a new folder, chunk by chunk: whole or not at all, and durably.

    It holds a few chunks in memory, and releases the interpreter's lock most of the time.

    Args:
        table: The ratings.
        folder: The folder to create.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    with create_folder(folder) as beside:
        digest = _write_columns(table, beside)
        # Polars accepts only UTF-8 paths, but any open file.
        with (beside / _USERS).open("wb") as users:
            table.users.write_ipc(users)
        files = {path.name: checksum(path) for path in sorted(beside.iterdir())}
        manifest = {"rows": len(table), "digest": digest.hex(), "files": files}
        (beside / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def open_base(folder: Path) -> RatingsTable:
    """Return the table in a folder. Its columns are read when and where they are used.

    Args:
        folder: The folder that ``write_base`` wrote. It may be deleted while the table is in use, but not changed.

    Raises:
        DamagedBaseError: The folder is damaged.
    """
    try:
        manifest = parse_json((folder / MANIFEST).read_bytes())
        for name, expected in manifest["files"].items():
            if checksum(folder / name) != expected:
                raise DamagedBaseError(f"{folder / name} is not as it was written")
        mapped = {name: _map(folder, name) for name in DTYPES}
        # Plain arrays over the mapped memory, because searching a memmap is slower.
        columns = {name: np.asarray(column) for name, column in mapped.items()}
        users = pl.read_ipc((folder / _USERS).read_bytes())
        run = SortedRun(columns, users, [cast("mmap", column.base) for column in mapped.values()])
        return RatingsTable.of(run, bytes.fromhex(manifest["digest"]))
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DamagedBaseError(f"{folder} holds no ratings: {error}") from error


def _write_columns(table: RatingsTable, folder: Path) -> bytes:
    digest = Digest()
    with ExitStack() as stack:
        files = {name: stack.enter_context(_path(folder, name).open("wb")) for name in DTYPES}
        for name, file in files.items():
            header = {"descr": DTYPES[name], "fortran_order": False, "shape": (len(table),)}
            np.lib.format.write_array_header_1_0(file, header)
        for rows in table.chunks(0, len(table), _ROWS_AT_ONCE):
            for name, content in digest.update(rows).items():
                files[name].write(content)
    return digest.value()


def _map(folder: Path, name: str) -> np.memmap[Any, Any]:
    column: np.memmap[Any, Any] = np.load(_path(folder, name), mmap_mode="r", allow_pickle=False)
    if column.dtype != np.dtype(DTYPES[name]):
        raise ValueError(f"{name} is of type {column.dtype}")
    return column


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file. It is read, not mapped, so it does not count as memory of this process."""
    found = 0
    with path.open("rb") as file:
        while content := file.read(_BYTES_AT_ONCE):
            found = zlib.crc32(content, found)
    return found
