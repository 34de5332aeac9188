"""What only the same ratings have, however they are held."""

from hashlib import sha256

import polars as pl

from movielens_api.sorted_run import DTYPES, SortedRun


class Digest:
    """A digest of ratings, which are given chunk by chunk; how they are cut does not matter."""

    def __init__(self) -> None:
        self._columns = {name: sha256() for name in DTYPES}

    def update(self, rows: pl.DataFrame) -> dict[str, memoryview]:
        """Take the next rows, and return their columns as bytes."""
        columns = SortedRun.of(rows).columns
        contents = {name: columns[name].astype(dtype, copy=False).data for name, dtype in DTYPES.items()}
        for name, content in contents.items():
            self._columns[name].update(content)
        return contents

    def value(self) -> bytes:
        """Return the digest of all rows so far."""
        return sha256(b"".join(column.digest() for column in self._columns.values())).digest()
