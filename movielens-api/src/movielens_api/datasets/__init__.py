"""Where ratings come from: a dataset by its name, or a folder in GroupLens' format."""

from collections.abc import Callable
from pathlib import Path

from movielens_api.catalogue import Catalogue
from movielens_api.datasets import grouplens, sample
from movielens_api.errors import StartupError

BY_NAME: dict[str, Callable[[], Catalogue]] = {"sample": sample.load}


def load(dataset: str) -> Catalogue:
    """Load a dataset into memory.

    Args:
        dataset: a name from `BY_NAME`, or the path of a folder with `ratings.csv` and `movies.csv`.

    Raises:
        StartupError: there is no such dataset, or it is not installed.
        DamagedDatasetError: a file in the folder does not hold what it should.
    """
    if dataset in BY_NAME:
        return BY_NAME[dataset]()
    folder = Path(dataset)
    if not folder.is_dir():
        names = ", ".join(BY_NAME)
        raise StartupError(f"unknown dataset {dataset!r}: neither one of the names ({names}) nor a folder")
    return grouplens.load(folder)
