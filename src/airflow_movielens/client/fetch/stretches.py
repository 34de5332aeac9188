"""A window cut into stretches: enough rows to be worth a file of their own, or what came in some seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

    from airflow_movielens.client.rows import BadRow, Batch, Bookmark

ROWS_A_STRETCH = 125_000
SECONDS_A_STRETCH = 2.0
SHARE_OF_THE_TIME = 0.02
"""Stretches of a fetch that takes long become longer, so that there are never many more than a few hundred."""


@dataclass
class Stretch:
    """Rows that become durable together.

    Attributes:
        bookmark: How to go on behind them.
        is_last: Whether nothing follows.
        frames: The rows.
        bad: Rows that are quarantined.
    """

    bookmark: Bookmark
    is_last: bool
    frames: list[pl.DataFrame] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def height(self) -> int:
        """How many rows it has."""
        return sum(map(len, self.frames))

    def add(self, batch: Batch) -> None:
        """Put a batch behind what is there."""
        if len(batch.rows.good):
            self.frames.append(batch.rows.good)
        self.bad += batch.rows.bad
        self.bookmark, self.is_last = batch.bookmark, batch.is_last

    def bad_lines(self) -> bytes:
        """The quarantined rows, as JSON a line."""
        return b"".join(map(_line, self.bad))


def _line(bad: BadRow) -> bytes:
    values = {"url": bad.url, "number": bad.number, "column": bad.column, "problem": bad.problem, "row": bad.row}
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):  # NaN, or what a format other than JSON brought
        text = json.dumps({**values, "row": repr(bad.row)})
    return text.encode() + b"\n"


def cut(batches: Iterable[Batch]) -> Iterator[Stretch]:
    """Gather batches into stretches; the last one may have no rows."""
    start = begun = monotonic()
    stretch = None
    for batch in batches:
        stretch = stretch or Stretch(batch.bookmark, batch.is_last)
        stretch.add(batch)
        seconds = monotonic() - begun
        is_long = seconds >= max(SECONDS_A_STRETCH, SHARE_OF_THE_TIME * (monotonic() - start))
        if stretch.is_last or stretch.height >= ROWS_A_STRETCH or (is_long and stretch.frames):
            yield stretch
            stretch, begun = None, monotonic()
