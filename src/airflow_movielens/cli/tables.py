"""Dataframes as tables on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

_UNLIMITED = 10_000


def cell(value: object, decimals: int) -> str:
    """Return a value as it is shown, without what a terminal would obey: titles come from an API."""
    return f"{value:.{decimals}f}" if isinstance(value, float) else printable(str(value))


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

    table = Table(box=SIMPLE, title=printable(heading), title_justify="left", title_style="bold")
    for name, dtype in rows.schema.items():
        justify: Literal["left", "right"] = "left" if dtype == pl.String else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in unwrapped)
    for row in rows.iter_rows():
        table.add_row(*(cell(value, 3) for value in row))
    if sys.stdout.isatty():
        Console(emoji=False).print(table, markup=False)
        return
    whole = Console(width=_UNLIMITED, emoji=False)
    with whole.capture() as printed:
        whole.print(table, markup=False)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))
