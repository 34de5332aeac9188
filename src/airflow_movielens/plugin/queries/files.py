"""The files that a query reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class QueryFile:
    """A file that a query reads.

    Attributes:
        name: Its path or URL, as the user knows it.
        path: The local file: the same path, or that of a copy.
        problem: Why there is no copy, in one sentence; None if nothing is wrong.
    """

    name: str
    path: str
    problem: str | None = None

    def local(self) -> Path:
        """Return the path of the local file.

        Raises:
            ValueError: A remote file could not be copied.
        """
        if self.problem is not None:
            raise ValueError(self.problem)
        return Path(self.path)

    def words_of(self, error: Exception) -> str:
        """Return the message of an error, which may name a copy, with the name of the file."""
        return str(error).replace(self.path, self.name)
