"""Which files the page reads: those in the data root, whatever a record says.

Whoever can write to the data root can write records, and links, that lead elsewhere. The API server may be allowed to
read more than they are.
"""

from __future__ import annotations

from airflow_movielens.ratings.paths import local_path
from airflow_movielens.storage.inputs import steps


def is_in(folder: str, path: str) -> bool:
    """Return whether a file lies in a folder, or below it, after all links are followed.

    Args:
        folder: A local path or a URL.
        path: Likewise; anything that is no path lies nowhere.
    """
    try:
        start, found = steps(folder), steps(path)
    except (OSError, ValueError):
        return False
    return ".." not in found and found[: len(start)] == start


def is_registry_of(root: str, folder: str) -> bool:
    """Return whether the page reads a registry of models, and evaluations.

    Registries are local folders. If the data root is a URL, they cannot lie in it.

    Args:
        root: The data root.
        folder: The folder, as a record names it.
    """
    try:
        is_local = local_path(folder) is not None
    except ValueError:
        return False
    return is_local and (local_path(root) is None or is_in(root, folder))
