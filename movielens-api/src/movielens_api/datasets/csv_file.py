"""Read a CSV file whole, or say which line breaks it."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from movielens_api.errors import DamagedDatasetError, StartupError

LONGEST_QUOTE = 80


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


def read_csv(path: Path, schema: Mapping[str, type[pl.DataType]], rules: Iterable[Rule]) -> pl.DataFrame:
    """Read a file with exactly the columns of `schema`, every row of which fulfils every rule.

    Raises:
        StartupError: the file may not be read.
        DamagedDatasetError: it is not such a file.
    """
    rows = _parse(path, schema)
    for rule in rules:
        broken = rows.select(~rule.holds.fill_null(value=False)).to_series()
        place = broken.arg_max()
        if place is not None and broken[place]:
            raise DamagedDatasetError(_complaint(path, place + 2, f"expected {rule.column} to be {rule.expected}"))
    return rows


def _parse(path: Path, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    header = ",".join(schema)
    try:
        # A cell of the wrong type becomes null, which the rules then find with its line; polars' warnings know no line.
        with warnings.catch_warnings(action="ignore"):
            rows = pl.read_csv(path, schema_overrides=schema, ignore_errors=True)
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error
    except pl.exceptions.PolarsError as error:
        raise DamagedDatasetError(
            f"{path} is not CSV with the columns {header}: {str(error).splitlines()[0]}"
        ) from error
    if rows.columns != list(schema):
        raise DamagedDatasetError(_complaint(path, 1, f"expected the header {header}"))
    return rows


def _complaint(path: Path, line: int, expected: str) -> str:
    with path.open(encoding="utf-8", errors="replace") as lines:
        found = next(islice(lines, line - 1, None), "").rstrip("\r\n")
    return f"{path}, line {line}: {expected}, found {found[:LONGEST_QUOTE]!r}"
