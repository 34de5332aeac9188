"""The format of rows: the header of a CSV file, and rules for the values."""

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
    """A rule for every row.

    Attributes:
        column: The column to name if a row breaks the rule.
        expected: What is expected, in words.
        holds: An expression that is true for a good row. Null counts as false.
    """

    column: str
    expected: str
    holds: pl.Expr

    @property
    def reason(self) -> str:
        """The reason why a row that breaks the rule is damaged."""
        return f"expected {self.column} to be {self.expected}"

    @property
    def broken(self) -> pl.Expr:
        """An expression that is true for a row that breaks the rule, and never null."""
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
    """The format of the rows of a file.

    Attributes:
        columns: The names in the order of the file. Columns that are not needed keep the name in the file.
        separator: The separator of columns.
        first_line: The line of the first row.
    """

    columns: tuple[str, ...]
    separator: str = ","
    first_line: int = 1


def of_csv(lines: list[str], place: str, needed: tuple[str, ...]) -> Form:
    """Return the format of a CSV file from its header.

    Args:
        lines: The first two lines of the file, or fewer.
        place: The name of the file in messages.
        needed: The required columns.

    Raises:
        DamagedDatasetError: The lines are not a header with these columns.
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
    """Split a row of CSV. A row that is not valid CSV becomes a single field.

    Args:
        row: The row, without its line end.
        separator: The separator of fields.
    """
    try:
        return next(csv.reader([row], delimiter=separator, strict=True), [])
    except csv.Error:
        return [row]


def _name(field: str) -> str:
    return NAMES.get(re.sub(r"[\s_]", "", field).casefold(), field)
