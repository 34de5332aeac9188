"""What every row of a file must fulfil."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.datasets.quarantine import LONGEST_QUOTE
from movielens_api.errors import DamagedDatasetError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Rule:
    """What every row must fulfil.

    Attributes:
        column: the column to name when a row does not.
        expected: what should be there, in words.
        holds: an expression that is true for a good row; null counts as broken.
    """

    column: str
    expected: str
    holds: pl.Expr

    @property
    def reason(self) -> str:
        """What to say of a row that breaks the rule."""
        return f"expected {self.column} to be {self.expected}"

    @property
    def broken(self) -> pl.Expr:
        """True for a row that breaks the rule, never null."""
        return ~self.holds.fill_null(value=False)


SEPARATORS = (",", ";", "\t", "|")
NAMES = {
    "userid": "userId",
    "movieid": "movieId",
    "itemid": "movieId",
    "rating": "rating",
    "timestamp": "timestamp",
    "title": "title",
    "movietitle": "title",
    "genres": "genres",
    "genre": "genres",
}
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t ]*', re.IGNORECASE)
LONGEST_HEADER = 1 << 12


@dataclass(frozen=True)
class Form:
    """How the rows of a file are written.

    Attributes:
        columns: their names in the order of the file; one that is not needed has the name that the file gives it.
        separator: what separates them.
        first_line: the line of the first row.
    """

    columns: tuple[str, ...]
    separator: str = ","
    first_line: int = 1


def of_csv(lines: list[str], place: str, needed: tuple[str, ...]) -> Form:
    """Read the header of a CSV file.

    Args:
        lines: the first two lines of the file, or what there is of them.
        place: the file, as messages name it.
        needed: the columns that it must have.

    Raises:
        DamagedDatasetError: they are not its header.
    """
    # Spreadsheets read and write such a line before the header.
    declared = SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    header = "".join(lines[1:2] if declared else lines[:1])[:LONGEST_HEADER]
    line = 2 if declared else 1
    for separator in (declared[1],) if declared else SEPARATORS:
        columns = tuple(_name(field) for field in fields(header, separator))
        if all(columns.count(name) == 1 for name in needed):
            return Form(columns, separator, line + 1)
    quote = header[:LONGEST_QUOTE]
    raise DamagedDatasetError(f"{place}, line {line}: expected the header {','.join(needed)}, found {quote!r}")


def fields(row: str, separator: str) -> list[str]:
    """Split a row of CSV by itself; one that is no such row is a single field.

    Args:
        row: the row, without its line end.
        separator: what separates its fields.
    """
    try:
        return next(csv.reader([row], delimiter=separator, strict=True), [])
    except csv.Error:
        return [row]


def _name(field: str) -> str:
    return NAMES.get(re.sub(r"[\s_]", "", field).casefold(), field)
