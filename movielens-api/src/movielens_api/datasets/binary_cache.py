"""The binary cache: parsed datasets, kept on disk for the next start."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from movielens_api import __version__
from movielens_api.datasets.quarantine import Quarantine
from movielens_api.system.atomic_files import create_folder
from movielens_api.system.json_values import parse_json
from movielens_api.table.base_files import DamagedBaseError, checksum, open_base, write_base
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 3
PROGRAM = (FORMAT, __version__)
_LENGTH_OF_KEY = 16
_MANIFEST, _RATINGS, _MOVIES, _DAMAGED = "manifest.json", "ratings", "movies.arrow", "damaged.arrow"


def file_name(path: Path) -> str:
    """Return a readable and unique file name for what is kept about a path."""
    whole = path.resolve()
    readable = re.sub(r"[^\w.-]", "_", whole.name.removesuffix(".zip"))
    return f"{readable[:60]}-{digest(str(whole), 8)}"


def digest(text: str, length: int) -> str:
    """Return the first hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:length]


class BinaryCache:
    """The cached files of one state of a dataset.

    Args:
        data_dir: The folder for datasets.
        name: The file name of the dataset. Writing one state deletes the others.
        key: The state of the dataset, such as sizes and times of its files.
        program: What wrote the files. Another version may parse the same files by other rules.
    """

    def __init__(self, data_dir: Path, name: str, key: object, program: tuple[object, ...] = PROGRAM) -> None:
        self._parent = data_dir / "cache"
        self._name = name
        self._folder = self._parent / f"{name}-{digest(json.dumps([*program, key]), _LENGTH_OF_KEY)}"

    def read(self, name: str) -> tuple[Catalogue, Quarantine | None] | None:
        """Return the cached dataset, or None if it does not exist or is damaged.

        Args:
            name: The name of the catalogue in messages.
        """
        try:
            manifest = _checked(self._folder / _MANIFEST)
            if any(checksum(self._folder / file) != found for file, found in manifest["files"].items()):
                return None
            frames = {file: pl.read_ipc((self._folder / file).read_bytes()) for file in manifest["files"]}
            damaged = frames.get(_DAMAGED)
            quarantined = None if damaged is None else Quarantine(manifest["place"], manifest["total"], damaged)
            return Catalogue(name, open_base(self._folder / _RATINGS), frames[_MOVIES]), quarantined
        except (OSError, ValueError, KeyError, TypeError, DamagedBaseError):
            return None

    def write(self, catalogue: Catalogue, quarantined: Quarantine | None) -> None:
        """Write a dataset, whole or not at all.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        with create_folder(self._folder) as beside:
            write_base(catalogue.ratings, beside / _RATINGS)
            frames = {_MOVIES: catalogue.movies} | ({_DAMAGED: quarantined.rows} if quarantined else {})
            for file, frame in frames.items():
                with (beside / file).open("wb") as opened:
                    frame.write_ipc(opened, compression="uncompressed")
            manifest = {
                "files": {file: checksum(beside / file) for file in frames},
                "place": quarantined.place if quarantined else None,
                "total": quarantined.total if quarantined else None,
            }
            text = json.dumps(manifest).encode()
            (beside / _MANIFEST).write_bytes(b"%08x " % zlib.crc32(text) + text)
            self._forget()

    def _forget(self) -> None:
        for kept in self._parent.glob(f"{self._name}-{'[0-9a-f]' * _LENGTH_OF_KEY}"):
            # Renamed first, so that a reader finds all of it or nothing.
            gone = self._parent / f".{kept.name}.{os.getpid()}"
            with suppress(OSError):
                kept.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _checked(manifest: Path) -> dict[str, Any]:
    checksum, _, text = manifest.read_bytes().partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError(f"{manifest} is not as it was written")
    found: dict[str, Any] = parse_json(text)
    return found
