"""Where the parts of a store are: one folder per dataset."""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from movielens_api.store import database


@dataclass(frozen=True)
class Files:
    """The files of a store.

    Attributes:
        folder: where all of them are.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """The log of posted ratings, and all that is known about the other files."""
        return self.folder / "ratings.db"

    @property
    def owner(self) -> Path:
        """The lock that the one server of this store holds."""
        return self.folder / "server.lock"

    @property
    def writing(self) -> Path:
        """The lock that one process at a time holds to write."""
        return self.folder / "writing.lock"

    @property
    def compacting(self) -> Path:
        """The lock that one process at a time holds to write a generation."""
        return self.folder / "compacting.lock"

    def base(self, number: int) -> Path:
        """Return the folder of a generation."""
        return self.folder / f"base-{number}"

    def connect(self) -> sqlite3.Connection:
        """Open a connection to the database."""
        return database.connect(self.database)

    def remove_strays(self, numbers: set[int]) -> None:
        """Remove what is of no generation among these: left over by a crash, or retired."""
        wanted = {self.base(number) for number in numbers}
        for path in [*self.folder.glob("base-*"), *self.folder.glob(".base-*")]:
            if path not in wanted:
                shutil.rmtree(path, ignore_errors=True)
