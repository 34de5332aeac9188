"""Dataframes as tables on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

_UNLIMITED = 10_000


def print_table(rows: pl.DataFrame, heading: str, unwrapped: Collection[str] = ()) -> None:
    """Print a heading and rows; a terminal wraps long texts, and anything else receives them whole.

    Args:
        rows: The rows.
        heading: The heading.
        unwrapped: Columns that a terminal does not wrap either, such as those to copy from.
    """
    import polars as pl
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, title=heading, title_justify="left", title_style="bold")
    for name, dtype in rows.schema.items():
        justify: Literal["left", "right"] = "left" if dtype == pl.String else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in unwrapped)
    for row in rows.iter_rows():
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    if sys.stdout.isatty():
        Console().print(table, markup=False, emoji=False)
        return
    whole = Console(width=_UNLIMITED)
    with whole.capture() as printed:
        whole.print(table, markup=False, emoji=False)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))
