"""The format of text files: their encoding, the header of a CSV file, and rules for the values."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.datasets.quarantine import MAX_QUOTE_LENGTH
from movielens_api.errors import DamagedDatasetError

if TYPE_CHECKING:
    import polars as pl

    from movielens_api.datasets.source import Readable

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
# Without a mark, every other byte of text in Latin letters is 0.
_WITHOUT_MARK = {
    re.compile(rb"[^\0]\0[^\0]\0", re.DOTALL): "utf-16-le",
    re.compile(rb"\0[^\0]\0[^\0]", re.DOTALL): "utf-16-be",
}
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
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t ]*', re.IGNORECASE)
_MAX_HEADER_LENGTH = 1 << 12
# Sixteen times the movies of ml-32m.
_MAX_BYTES = 1 << 26


def encoding(head: bytes) -> tuple[str, int]:
    """Return the encoding that the first bytes of a file indicate, by default UTF-8, and the length of its mark.

    Args:
        head: The first bytes.
    """
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name, len(mark)
    for sign, name in _WITHOUT_MARK.items():
        if sign.match(head):
            return name, 0
    return "utf-8", 0


def read(file: Readable, place: str, *, latin1: bool = False) -> str:
    """Read a file as a whole, with line feeds as line ends.

    Args:
        file: The file.
        place: The name of the file in messages.
        latin1: Whether to use Latin-1 if the file can only be that, as in GroupLens' older releases.

    Raises:
        DamagedDatasetError: The file is too large, or not in its encoding. The message names the line.
    """
    content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DamagedDatasetError(
            f"{place} has more than {_MAX_BYTES >> 20} MiB; only ratings in UTF-8 with line feeds may have more"
        )
    name, mark = encoding(content)
    try:
        text = content[mark:].decode(name)
    except UnicodeDecodeError as error:
        if not latin1 or not _is_latin1(content):
            raise DamagedDatasetError(_complaint(error, place, name)) from error
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_latin1(content: bytes) -> bool:
    """Return whether all letters are Latin-1 and none is UTF-8. A file with both is damaged UTF-8."""
    runs = _NOT_ASCII.findall(content)
    return not any(_is_utf8(run) or any(byte < 0xA0 for byte in run) for run in runs)  # noqa: PLR2004 - the first letter


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _complaint(error: UnicodeDecodeError, place: str, name: str) -> str:
    before = error.object[: error.start].decode(name, errors="replace")
    line = len(re.findall(r"\r\n|\n|\r", before)) + 1
    found = error.object[error.start : error.end].hex(" ")
    return f"{place}, line {line}: expected text in {name.upper()}, found the bytes {found}: save the file as UTF-8"


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
    declared = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    header = "".join(lines[1:2] if declared else lines[:1])[:_MAX_HEADER_LENGTH]
    line = 2 if declared else 1
    for separator in (declared[1],) if declared else SEPARATORS:
        columns = tuple(NAMES.get(re.sub(r"[\s_]", "", field).casefold(), field) for field in fields(header, separator))
        if all(columns.count(name) == 1 for name in needed):
            return Form(columns, separator, line + 1)
    quote = header[:MAX_QUOTE_LENGTH]
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
