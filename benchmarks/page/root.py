"""The generated data root, in a local folder, and its copy for object storage."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from airflow_movielens.storage.catalogue import Catalogue, Record
from benchmarks.page.days import Days, movie_table
from benchmarks.page.models import records_of_models, write_models
from benchmarks.page.size import Size

# Without it, each of the many small files of the catalogue is flushed to the disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - if it exists


def write_root(folder: Path, size: Size) -> None:
    """Write a data root.

    Args:
        folder: The folder for it.
        size: Its size.
    """
    write_models(folder, size)
    days = Days(folder, str(folder), size)
    days.record_all()
    days.write_rankings(movie_table(size.movies))
    _write_catalogue(folder, [*days.records, *records_of_models(folder, str(folder))], size)


def write_copy(folder: Path, root: Path, address: str, size: Size) -> None:
    """Write what object storage holds of a data root: everything but the models, with a catalogue of its own.

    Args:
        folder: The folder for it, on the same file system.
        root: The data root.
        address: The URL by which the records name it.
        size: Its size.
    """
    left_out = shutil.ignore_patterns("registry", ".movielens-catalogue")
    shutil.copytree(root, folder, copy_function=os.link, ignore=left_out)
    days = Days(folder, address, size)
    days.record_all()
    _write_catalogue(folder, [*days.records, *records_of_models(root, address)], size)


def _write_catalogue(folder: Path, records: list[Record], size: Size) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        catalogue = Catalogue(scratch)
        catalogue.save_movies(movie_table(size.movies))
        catalogue.add_all(sorted(records, key=lambda record: record.at))
        shutil.copytree(scratch, folder, dirs_exist_ok=True)
