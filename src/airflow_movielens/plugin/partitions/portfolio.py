"""The datasets of a data root, and the one that a page is about."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.dataset import Dataset, by_folder, name_of
from airflow_movielens.ratings.paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_movielens.plugin.partitions.fetch import Fetch
    from airflow_movielens.storage.catalogue import Record


@dataclass(frozen=True)
class Portfolio:
    """The datasets of a data root.

    Attributes:
        root: The absolute path or URL of the data root.
        folders: The fetches into each folder, by time; the folder with the last fetch comes first.
    """

    root: str
    folders: Mapping[str, list[Fetch]]

    @classmethod
    def of(cls, root: str, records: Iterable[Record]) -> Portfolio:
        """Return the datasets.

        Args:
            root: The data root as it is configured.
            records: Records of fetches, by time.
        """
        local = local_path(root)
        return cls(root if local is None else os.path.abspath(local), by_folder(records))  # noqa: PTH100 - keeps links

    @property
    def names(self) -> list[str]:
        """The names of the datasets: their folders below the data root."""
        return [self.name(folder) for folder in self.folders]

    def name(self, folder: str) -> str:
        """Return the name of the dataset in a folder."""
        return name_of(folder, self.root) or folder

    def dataset(self, name: str | None, rankings: Iterable[Record]) -> Dataset | None:
        """Return a dataset; None if there is none of that name.

        Args:
            name: Its name or folder; None for the one with the last fetch of a single day or, if there is none, of any
                window.
            rankings: Records of rankings, also of other datasets.
        """
        folders = sorted(self.folders, key=self._has_days, reverse=True)
        found = (folder for folder in folders if name in (None, folder, self.name(folder)))
        folder = next(found, None)
        return None if folder is None else Dataset.of(folder, self.folders[folder], rankings)

    def _has_days(self, folder: str) -> bool:
        return any(fetch.day is not None for fetch in self.folders[folder])
