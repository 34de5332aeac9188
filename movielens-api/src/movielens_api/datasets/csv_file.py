"""Read a CSV file whole, or say which line breaks it."""

import io
import warnings
from collections.abc import Iterable, Mapping
from itertools import islice

import polars as pl

from movielens_api.datasets.damage import LONGEST_QUOTE
from movielens_api.datasets.rules import Rule
from movielens_api.errors import DamagedDatasetError


def read_csv(
    content: bytes, place: str, schema: Mapping[str, type[pl.DataType]], rules: Iterable[Rule]
) -> pl.DataFrame:
    """Read a file with exactly the columns of `schema`, every row of which fulfils every rule.

    Args:
        content: the file.
        place: the file, as messages name it.
        schema: its columns.
        rules: what every row must fulfil.

    Raises:
        DamagedDatasetError: it is not such a file.
    """
    rows = _parse(content, place, schema)
    for rule in rules:
        broken = rows.select(rule.broken).to_series()
        line = broken.arg_max()
        if line is not None and broken[line]:
            raise DamagedDatasetError(_complaint(content, place, line + 2, rule.reason))
    return rows


def _parse(content: bytes, place: str, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    header = ",".join(schema)
    try:
        # A cell of the wrong type becomes null, which the rules then find with its line; polars' warnings know no line.
        with warnings.catch_warnings(action="ignore"):
            rows = pl.read_csv(content, schema_overrides=schema, ignore_errors=True)
    except pl.exceptions.PolarsError as error:
        raise DamagedDatasetError(
            f"{place} is not CSV with the columns {header}: {str(error).splitlines()[0]}"
        ) from error
    if rows.columns != list(schema):
        raise DamagedDatasetError(_complaint(content, place, 1, f"expected the header {header}"))
    return rows


def _complaint(content: bytes, place: str, line: int, expected: str) -> str:
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace")
    found = next(islice(lines, line - 1, None), "").rstrip("\r\n")
    return f"{place}, line {line}: {expected}, found {found[:LONGEST_QUOTE]!r}"
