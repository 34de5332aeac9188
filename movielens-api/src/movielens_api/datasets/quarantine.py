"""The quarantine: damaged rows, how many are tolerated, and the file that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from movielens_api.errors import DamagedDatasetError, StartupError
from movielens_api.system import private_files
from movielens_api.system.atomic_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_NAMED = 3
MAX_QUOTE_LENGTH = 80
QUARANTINE_SCHEMA: dict[str, type[pl.DataType]] = {"line": pl.Int64, "reason": pl.String, "row": pl.String}


@dataclass(frozen=True)
class Quarantine:
    """The damaged rows of a file.

    Attributes:
        place: The name of the file in messages.
        total: The number of all rows, damaged or not.
        rows: The damaged rows, with the columns of ``QUARANTINE_SCHEMA``.
    """

    place: str
    total: int
    rows: pl.DataFrame

    def check_share(self, share: float) -> None:
        """Raise if the share of damaged rows is too high.

        Args:
            share: The highest share that is tolerated.

        Raises:
            DamagedDatasetError: Too many rows, or all rows, are damaged. The message names the first of them.
        """
        if self.rows.height == self.total > 0:
            raise DamagedDatasetError(f"{self.place}: none of {self.total:,} rows is a rating: {self._examples()}")
        if self.rows.height > share * self.total:
            raise DamagedDatasetError(
                f"{self.place}: {self.rows.height:,} of {self.total:,} rows are damaged, "
                f"more than --max-damaged {share:g} allows: {self._examples()}"
            )

    def save(self, quarantine: Path) -> str:
        """Write the damaged rows to a CSV file, whole or not at all, and return a message about them.

        Raises:
            StartupError: The file cannot be written.
        """
        try:
            private_files.make_folder(quarantine.parent)
            with replace_file(quarantine) as file:
                self.rows.write_csv(file)
        except OSError as error:
            raise StartupError(
                f"cannot write damaged rows to {quarantine} (see --data-dir): {error.strerror or error}"
            ) from error
        return (
            f"{self.place}: {self.rows.height:,} of {self.total:,} rows are damaged and were left out; "
            f"all of them are in {quarantine}: {self._examples()}"
        )

    def _examples(self) -> str:
        named = [
            f"line {line}: {reason}, found {row[:MAX_QUOTE_LENGTH]!r}"
            for line, reason, row in self.rows.head(_NAMED).rows()
        ]
        more = self.rows.height - len(named)
        return "; ".join(named) + (f"; and {more:,} more" if more else "")
