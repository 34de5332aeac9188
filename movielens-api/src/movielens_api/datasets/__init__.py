"""Datasets: loaded by name, or from files in GroupLens' format.

- ``source``: a folder or zip.
- ``grouplens``: finds the files of a dataset in it, and loads them with ``ratings_file`` and ``movies_file``.
- ``text_format``: encodings, headers, and rules for rows.
- ``whole_lines``: pieces of a file that end with a line.
- ``quarantine``: damaged rows.
- ``releases``, ``download``: GroupLens' releases, downloaded and verified.
- ``sample``, ``synthetic``: the sample in a Python package, and generated ratings.
- ``binary_cache``: parsed datasets, kept for the next start.
- ``options``: how datasets are loaded.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.datasets import grouplens, releases, sample, synthetic
from movielens_api.datasets.binary_cache import BinaryCache, file_name
from movielens_api.datasets.options import Options
from movielens_api.datasets.quarantine import Quarantine
from movielens_api.datasets.source import FolderSource, Source, ZipSource
from movielens_api.errors import StartupError
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["sample", *releases.MD5]
Loaded = tuple[Catalogue, Quarantine | None]


def load(dataset: str, options: Options | None = None) -> Catalogue:
    """Load a dataset into memory.

    Args:
        dataset: One of ``NAMES``, ``synthetic:N`` or ``synthetic:N:SEED``, or the path of a folder or a zip with the
            files of one of ``grouplens.LAYOUTS``.
        options: Where files are kept, how many damaged rows are tolerated, and where messages go.

    Raises:
        StartupError: The dataset does not exist or is not installed.
        DamagedDatasetError: A file contains something else.
    """
    options = options or Options()
    if dataset in NAMES and os.path.lexists(dataset):
        options.report(f"{dataset} is the name of a dataset; to load the path with this name, write ./{dataset}")
    if dataset == "sample":
        cache = BinaryCache(options.data_dir, "sample", sample.version())
        return _load_cached(cache, dataset, lambda: (sample.load(), None), options)[0]
    if invented := synthetic.parse(dataset):
        number, seed = invented
        cache = BinaryCache(options.data_dir, storage_name(dataset), synthetic.VERSION)
        return _load_cached(cache, dataset, lambda: (synthetic.load(number, seed), None), options)[0]
    return _load_files(_source(dataset, options), dataset, options)


def storage_name(dataset: str) -> str:
    """Return a readable and unique file name for what is kept about a dataset.

    Args:
        dataset: The dataset, as in ``load``.
    """
    if invented := synthetic.parse(dataset):
        return "synthetic-{}-{}".format(*invented)
    return dataset if dataset in NAMES else file_name(Path(dataset))


def _source(dataset: str, options: Options) -> Source:
    path = Path(dataset)
    if dataset in releases.MD5:
        return ZipSource(releases.fetch(dataset, options))
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise StartupError(f"cannot read {dataset}: {error.strerror or error}") from error
    if is_folder:
        return FolderSource(path)
    if is_file and path.suffix.casefold() == ".zip":
        return ZipSource(path)
    if is_file:
        raise StartupError(
            f"{path} is a single file: pass the folder with ratings and movies, or its zip, as --dataset"
        )
    names = ", ".join([*NAMES, "synthetic:N"])
    raise StartupError(f"unknown dataset {dataset!r}: it is neither one of the names ({names}) nor a folder nor a zip")


def _load_files(source: Source, name: str, options: Options) -> Catalogue:
    stored_as = file_name(source.path)
    files = grouplens.find(source)
    cache = BinaryCache(options.data_dir, stored_as, source.state(files.names))
    catalogue, quarantined = _load_cached(
        cache, name, lambda: grouplens.load(source, files, name, options.max_damaged), options
    )
    quarantine = options.data_dir / "quarantine" / f"{stored_as}-ratings.csv"
    if quarantined and quarantined.rows.height:
        quarantined.check_share(options.max_damaged)
        options.report(quarantined.save(quarantine))
    else:
        with suppress(OSError):
            quarantine.unlink()
    return catalogue


def _load_cached(cache: BinaryCache, name: str, load: Callable[[], Loaded], options: Options) -> Loaded:
    if kept := cache.read(name):
        return kept
    loaded = load()
    try:
        cache.write(*loaded)
    except OSError as error:
        failure = f"the next start will take as long as this one: cannot keep the columns of {name}: {error}"
    else:
        failure = ""
    # Read back, the columns are shared with other processes. One of those may have kept them in the meantime.
    kept = cache.read(name)
    if failure and not kept:
        options.report(failure)
    return kept or loaded
