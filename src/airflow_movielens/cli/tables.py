"""Dataframes as tables on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_UNLIMITED = 10_000


def print_table(rows: pl.DataFrame, heading: str) -> None:
    """Print a heading and rows; a terminal wraps long texts, and anything else receives them whole."""
    import polars as pl
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, title=heading, title_justify="left", title_style="bold")
    for name, dtype in rows.schema.items():
        table.add_column(name, justify="left" if dtype == pl.String else "right")
    for row in rows.iter_rows():
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    if sys.stdout.isatty():
        Console().print(table, markup=False, emoji=False)
        return
    whole = Console(width=_UNLIMITED)
    with whole.capture() as printed:
        whole.print(table, markup=False, emoji=False)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))
