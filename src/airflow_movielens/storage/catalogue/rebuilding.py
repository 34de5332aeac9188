"""A catalogue rebuilt from the manifests, registries and evaluations in its data root."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_movielens.storage.catalogue.catalogue import Catalogue
from airflow_movielens.storage.catalogue.folder import ENDING, THREADS, catalogue_folder
from airflow_movielens.storage.catalogue.manifests import records_in
from airflow_movielens.storage.catalogue.month_index import MonthIndex
from airflow_movielens.storage.catalogue.records import KINDS, month_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.storage.catalogue.records import Kind, Record


def rebuild(root: str, progress: Callable[[int], None]) -> Counter[Kind]:
    """Replace the records of a catalogue by those of the files in its data root, also while tasks add records.

    Args:
        root: The data root: a local path, or a URL that Airflow's ``ObjectStoragePath`` accepts.
        progress: Called with the number of records found so far.

    Returns:
        The number of records of each kind that the catalogue has now, without kinds that have none.

    Raises:
        ValueError: The root is neither a path nor a URL.
        OSError: The root cannot be read, or the catalogue cannot be written.
        FatalError: The object storage is not available, or access is denied.
    """
    folder = catalogue_folder(root)
    # Listed before the manifests are read: what tasks add from now on stays.
    old_names = folder.all_names()
    old = _entries(old_names)
    found: dict[tuple[Kind, str], list[Record]] = defaultdict(list)
    for number, record in enumerate(records_in(root), start=1):
        found[record.kind, month_of(record)].append(record)
        progress(number)
    for kind, month in sorted(old.keys() | found.keys()):
        MonthIndex(folder, kind, month).replace(old[kind, month], found[kind, month])
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(folder.remove, [name for name in old_names if name.startswith("runs/")]))
    catalogue = Catalogue(root)
    return +Counter({kind: len(catalogue.records(kind).records) for kind in KINDS})


def _entries(names: list[str]) -> dict[tuple[Kind, str], set[str]]:
    """Return the names of the entries of each kind and month; none for a month that has only an index."""
    entries: dict[tuple[Kind, str], set[str]] = defaultdict(set)
    for kind in KINDS:
        for name in names:
            if name.startswith(f"{kind}/"):
                month, *entry = name.removeprefix(f"{kind}/").split("/")
                entries[kind, month.removesuffix(ENDING)].update(entry)
    return entries
