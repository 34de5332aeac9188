"""A part of a fetch: rows that become durable together."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_movielens.client.columns import Gathered
from airflow_movielens.client.fetch.workdirs import PART_ENDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_movielens.client.errors import BadRow
    from airflow_movielens.client.rows import Batch, Bookmark

BAD_ENDING = ".ndjson"
"""The extension of the file of a part's quarantined rows."""


@dataclass
class Part:
    """Rows that become durable together.

    Attributes:
        rows: The rows.
        bad: Rows that are quarantined.
        bookmark: Where to resume after them; None before the first batch.
        is_last: Whether this is the last part.
    """

    rows: Gathered = field(default_factory=Gathered)
    bad: list[BadRow] = field(default_factory=list)
    bookmark: Bookmark | None = None
    is_last: bool = False

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> Part:
        """Return the rows of batches as a part."""
        part = cls()
        for batch in batches:
            part.add(batch)
        return part

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.rows.height

    def add(self, batch: Batch) -> None:
        """Append a batch."""
        self.rows.add(batch.rows.checked)
        self.bad += batch.rows.bad
        self.bookmark, self.is_last = batch.bookmark, batch.is_last

    def bad_lines(self) -> bytes:
        """Return the quarantined rows as lines of JSON."""
        return b"".join(map(_line, self.bad))

    def write(self, path: Path) -> Iterator[Path]:
        """Write the files of the part, and yield the path of each: ``path`` with the extensions of parts."""
        import polars as pl

        if self.height:
            rows = path.with_suffix(PART_ENDING)
            # Uncompressed: it is memory-mapped when it is read.
            pl.concat(self.rows.frames()).write_ipc(rows, compression="uncompressed")
            yield rows
        if self.bad:
            bad = path.with_suffix(BAD_ENDING)
            bad.write_bytes(self.bad_lines())
            yield bad


def _line(bad: BadRow) -> bytes:
    values = {"url": bad.url, "number": bad.number, "column": bad.column, "problem": bad.problem, "row": bad.row}
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):  # NaN, or a value of a format other than JSON
        text = json.dumps({**values, "row": repr(bad.row)})
    return text.encode() + b"\n"
