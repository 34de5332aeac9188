"""Read `ratings.csv` piece by piece: a good piece at full speed, a damaged one line by line.

The file is cut after line ends, so nothing in one line, such as a quote that never closes, can swallow the next.
"""

import csv
from collections.abc import Iterator
from typing import IO

import polars as pl

from movielens_api.datasets import damage
from movielens_api.datasets.damage import Damage
from movielens_api.datasets.rules import Rule
from movielens_api.errors import DamagedDatasetError
from movielens_api.ratings_table import ORDER, SCHEMA

PIECE = 1 << 25
LONGEST_HEADER = 1 << 12
FIRST_LINE = 2
YEAR_10000 = 253_402_300_800
RULES = (
    Rule("userId", "a whole number from 1", pl.col("userId") >= 1),
    Rule("movieId", "a whole number from 1", pl.col("movieId") >= 1),
    Rule(
        "rating", "0.5 to 5.0 in steps of 0.5", pl.col("rating").is_between(0.5, 5.0) & (pl.col("rating") * 2 % 1 == 0)
    ),
    Rule("timestamp", "Unix seconds from 1970 to 9999", pl.col("timestamp").is_between(0, YEAR_10000, closed="left")),
)
FIELDS = pl.col("row").str.count_matches(",", literal=True) + 1
QUOTED_FIELD = r'(^|,)"([^",]*)"'


def read(file: IO[bytes], place: str, piece: int = PIECE) -> tuple[pl.DataFrame, Damage]:
    """Read the good rows, in the order of the file, and the damaged ones.

    Args:
        file: the file.
        place: the file, as messages name it.
        piece: how many bytes to parse at once.

    Raises:
        DamagedDatasetError: the first line is not the header of such a file.
    """
    _skip_header(file, place)
    good, damaged = [pl.DataFrame(schema=SCHEMA)], [pl.DataFrame(schema=damage.SCHEMA)]
    total = 0
    for content in _pieces(file, piece):
        rows = _parse_undamaged(content)
        if rows is None:
            rows, bad = _parse_lines(content, FIRST_LINE + total)
            damaged.append(bad)
            total += bad.height
        good.append(rows)
        total += rows.height
    return pl.concat(good, rechunk=True), Damage(place, total, pl.concat(damaged))


def without_repeats(ratings: pl.DataFrame, found: Damage) -> tuple[pl.DataFrame, Damage]:
    """Count every row that repeats an earlier one to the letter as damaged; of equal rows the first stays.

    Args:
        ratings: the good rows of a file, in its order.
        found: its damaged rows.
    """
    lines = pl.Series("line", range(0), dtype=pl.Int64).extend(
        pl.int_range(FIRST_LINE, FIRST_LINE + found.total, eager=True)
    )
    numbered = ratings.with_columns(lines.filter(~lines.is_in(found.rows["line"].implode())))
    # Sorted, equal rows are neighbours; hashing them instead takes four times the memory of the ratings.
    by_content = numbered.sort([*ORDER, "rating", "line"])
    repeats = by_content.filter(pl.all_horizontal(pl.col([*ORDER, "rating"]).diff() == 0).fill_null(value=False))
    row = pl.concat_str("userId", "movieId", "rating", "timestamp", separator=",")
    bad = repeats.select("line", reason=pl.lit("expected a rating that is not in the file already"), row=row)
    kept = numbered.filter(~pl.col("line").is_in(repeats["line"].implode())).drop("line")
    return kept, Damage(found.place, found.total, pl.concat([found.rows, bad]).sort("line"))


def _skip_header(file: IO[bytes], place: str) -> None:
    found = file.readline(LONGEST_HEADER).decode("utf-8-sig", errors="replace").rstrip("\r\n")
    if next(csv.reader([found]), []) != list(SCHEMA):
        expected = ",".join(SCHEMA)
        quote = found[: damage.LONGEST_QUOTE]
        raise DamagedDatasetError(f"{place}, line 1: expected the header {expected}, found {quote!r}")


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while content := file.read(size):
        yield content if content.endswith(b"\n") else content + file.readline()


def _parse_undamaged(content: bytes) -> pl.DataFrame | None:
    """Parse a piece without any damage; None if there may be some."""
    try:
        rows = pl.read_csv(content, has_header=False, schema=SCHEMA, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    undamaged = rows.height == lines and rows.select(~pl.any_horizontal(rule.broken for rule in RULES).any()).item()
    return rows if undamaged else None


def _parse_lines(content: bytes, first_line: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Parse a piece line by line into good and damaged rows."""
    texts = content.decode("utf-8", errors="replace").removesuffix("\n").split("\n")
    lines = (
        pl.DataFrame({"row": texts}, schema={"row": pl.String})
        .with_row_index("line", first_line)
        .with_columns(pl.col("line").cast(pl.Int64), pl.col("row").str.strip_suffix("\r"))
    )
    whole = lines.filter(FIELDS.eq(len(SCHEMA)))
    unquoted = whole["row"].str.replace_all(QUOTED_FIELD, "$1$2")
    cells = pl.read_csv(
        "\n".join(["a,b,c,d", *unquoted]).encode(), new_columns=list(SCHEMA), schema_overrides=dict(SCHEMA),
        quote_char=None, ignore_errors=True,
    )  # fmt: skip
    parsed = pl.concat([whole, cells], how="horizontal").with_columns(reason=_reason())
    good = parsed.filter(pl.col("reason").is_null()).select(list(SCHEMA))
    wrong = parsed.filter(pl.col("reason").is_not_null()).select(list(damage.SCHEMA))
    torn = lines.filter(FIELDS.ne(len(SCHEMA))).select(
        "line", reason=pl.format("expected {} fields, found {}", pl.lit(len(SCHEMA)), FIELDS), row="row"
    )
    return good, pl.concat([wrong, torn]).sort("line")


def _reason() -> pl.Expr:
    reasons = [pl.when(rule.broken).then(pl.lit(rule.reason)) for rule in RULES]
    return pl.coalesce(reasons)
