"""The file of the ratings, read piece by piece: a good piece at full speed, a damaged one line by line.

The file is cut after line ends, so a fault in one line, such as an unclosed quote, cannot affect the next one.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from movielens_api.datasets import text_format, whole_lines
from movielens_api.datasets.quarantine import QUARANTINE_SCHEMA, Quarantine
from movielens_api.datasets.text_format import Form, Rule
from movielens_api.errors import DamagedDatasetError
from movielens_api.table.ratings_table import ORDER, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from movielens_api.datasets.source import Readable

_PIECE = 1 << 25
# Parsed line by line, a piece takes a hundred times its size if its lines are short.
_DAMAGED_PIECE = 1 << 20
_MANY_DAMAGED = 1_000_000
HEAD = 1 << 16
_COLUMNS = tuple(SCHEMA)
YEAR_10000 = 253_402_300_800
_RULES = (
    Rule("userId", "a whole number from 1", pl.col("userId") >= 1),
    Rule("movieId", "a whole number from 1", pl.col("movieId") >= 1),
    Rule(
        "rating", "0.5 to 5.0 in steps of 0.5", pl.col("rating").is_between(0.5, 5.0) & (pl.col("rating") * 2 % 1 == 0)
    ),
    Rule("timestamp", "Unix seconds from 1970 to 9999", pl.col("timestamp").is_between(0, YEAR_10000, closed="left")),
)
# In double precision, so that 3.50000001 is not 3.5.
_PARSED: dict[str, type[pl.DataType]] = {**SCHEMA, "rating": pl.Float64}
# As in Kaggle's ml-20m. Like GroupLens' timestamps, they are in UTC.
_DATE_AND_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-5][0-9](Z|\\+00:00)?"

DATED = "expected timestamp to be written YYYY-MM-DD hh:mm:ss, as in the rows before"


@dataclass(frozen=True)
class RatingsForm:
    """The format of a file of ratings.

    Attributes:
        rows: The columns, the separator and the first line.
        is_plain: Whether the file is UTF-8 with line feeds, so that pieces of it can be parsed as they are.
        is_dated: Whether timestamps are written as date and time.
    """

    rows: Form
    is_plain: bool = True
    is_dated: bool = False


_PLAIN = RatingsForm(Form(_COLUMNS, ",", 2))


def recognize(head: bytes, place: str, separator: str | None = None) -> RatingsForm:
    """Return the format of a file.

    Args:
        head: The first ``HEAD`` bytes of the file.
        place: The name of the file in messages.
        separator: The separator of a file without a header; None for CSV.

    Raises:
        DamagedDatasetError: The file is CSV, but its header lacks the columns of ratings.
    """
    encoding, mark = text_format.encoding(head)
    readable = head[mark:].decode(encoding, errors="replace")
    has_line_feeds = "\n" in readable or "\r" not in readable
    lines = [line.removesuffix("\r") for line in readable.split("\n" if has_line_feeds else "\r")]
    rows = Form(_COLUMNS, separator) if separator else text_format.of_csv(lines[:2], place, _COLUMNS)
    is_plain = encoding == "utf-8" and has_line_feeds and not (mark and rows.first_line == 1)
    return RatingsForm(rows, is_plain, is_dated=bool(separator is None and _is_dated(lines, rows)))


def _is_dated(lines: list[str], rows: Form) -> bool:
    """Return whether the first timestamp is written as date and time."""
    place = rows.columns.index("timestamp")
    for line in lines[rows.first_line - 1 :]:
        timestamp = "".join(text_format.fields(line, rows.separator)[place : place + 1]).strip()
        if timestamp.isdecimal():
            return False
        if re.fullmatch(_DATE_AND_TIME, timestamp):
            return True
    return False


def read(
    file: Readable,
    place: str,
    written: RatingsForm = _PLAIN,
    *,
    max_damaged: float = 1,
    piece: int = _PIECE,
) -> tuple[pl.DataFrame, Quarantine]:
    """Read the good rows, in the order of the file, and the damaged ones.

    Args:
        file: The file.
        place: The name of the file in messages.
        written: The format of the file.
        max_damaged: The share of damaged rows above which reading stops after many of them. The caller checks the
            share of the whole file.
        piece: How many bytes to parse at once.

    Raises:
        DamagedDatasetError: The text is not in its encoding, a line hides other rows or is too long, too many rows are
            damaged, or the file is empty.
    """
    if not written.is_plain:
        # Such files are rare, so they are read as a whole.
        file = io.BytesIO(text_format.read(file, place).encode())
    first_line = written.rows.first_line
    whole_lines.skip_header(file, place, first_line - 1)
    good, damaged = [pl.DataFrame(schema=SCHEMA)], [pl.DataFrame(schema=QUARANTINE_SCHEMA)]
    total = number_damaged = 0
    for rows, bad in _parsed(file, place, written, piece):
        good.append(rows)
        damaged.append(bad)
        total += rows.height + bad.height
        number_damaged += bad.height
        if number_damaged > _MANY_DAMAGED:
            Quarantine(place, total, pl.concat(damaged)).check_share(max_damaged)
    if not total and first_line == 1:
        raise DamagedDatasetError(f"{place} is empty")
    return pl.concat(good, rechunk=True), Quarantine(place, total, pl.concat(damaged))


def _parsed(file: Readable, place: str, written: RatingsForm, size: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the good rows of each piece, and its damaged ones."""
    for start, content in whole_lines.pieces(file, place, written.rows.first_line, size):
        undamaged = _parse_undamaged(content, written)
        if undamaged is not None:
            yield undamaged, pl.DataFrame(schema=QUARANTINE_SCHEMA)
            continue
        for line, part in whole_lines.cut(content, start, min(size, _DAMAGED_PIECE)):
            _refuse_other_line_ends(part, place, written.rows, line)
            yield _parse_lines(part, written, line)


def without_repeats(ratings: pl.DataFrame, found: Quarantine, first_line: int) -> tuple[pl.DataFrame, Quarantine]:
    """Move exact duplicates to the quarantine. The first of equal rows stays.

    Args:
        ratings: The good rows of a file, in its order.
        found: The damaged rows.
        first_line: The line of the first row.
    """
    lines = pl.Series("line", range(0), dtype=pl.Int64).extend(
        pl.int_range(first_line, first_line + found.total, eager=True)
    )
    numbered = ratings.with_columns(lines.filter(~lines.is_in(found.rows["line"].implode())))
    # Sorted, equal rows are neighbours; hashing them instead takes four times the memory of the ratings.
    by_content = numbered.sort([*ORDER, "rating", "line"])
    repeats = by_content.filter(pl.all_horizontal(pl.col([*ORDER, "rating"]).diff() == 0).fill_null(value=False))
    row = pl.concat_str("userId", "movieId", "rating", "timestamp", separator=",")
    bad = repeats.select("line", reason=pl.lit("expected a rating that is not in the file already"), row=row)
    kept = numbered.filter(~pl.col("line").is_in(repeats["line"].implode())).drop("line")
    return kept, Quarantine(found.place, found.total, pl.concat([found.rows, bad]).sort("line"))


def _parse_undamaged(content: bytes, written: RatingsForm) -> pl.DataFrame | None:
    """Return the ratings in a piece, or None if some rows may be damaged."""
    columns, separator = written.rows.columns, written.rows.separator
    if written.is_dated or (columns != _COLUMNS and b'"' in content):
        return None
    if len(separator) > 1:
        # polars separates by one character.
        if b"\t" in content:
            return None
        content, separator = content.replace(separator.encode(), b"\t"), "\t"
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    # A field that is missing at the end of a row would be null, which is right in a column that is not needed.
    if len(columns) > len(_COLUMNS) and content.count(separator.encode()) != lines * (len(columns) - 1):
        return None
    # A quote that swallows line ends shows in the number of rows.
    quote = '"' if b'"' in content else None
    # Names of other columns need not be unique.
    names = [name if name in SCHEMA else f"column {place}" for place, name in enumerate(columns)]
    schema = {name: _PARSED.get(name, pl.String) for name in names}
    try:
        rows = pl.read_csv(content, has_header=False, schema=schema, separator=separator, quote_char=quote)
    except pl.exceptions.PolarsError:
        return None
    undamaged = rows.height == lines and rows.select(~pl.any_horizontal(rule.broken for rule in _RULES).any()).item()
    return _as_ratings(rows) if undamaged else None


def _refuse_other_line_ends(content: bytes, place: str, rows: Form, first_line: int) -> None:
    """Raise for a line that contains several rows. Counted as one damaged row, it would hide how many rows are lost."""
    lines = content.split(b"\n")
    if content.count(b"\r") == content.count(b"\r\n") and max(map(len, lines)) <= whole_lines.MAX_LENGTH:
        return
    for line, row in enumerate(lines, first_line):
        if len(row) > whole_lines.MAX_LENGTH or _holds_rows(row, rows):
            whole_lines.refuse(place, line, row)


def _holds_rows(line: bytes, rows: Form) -> bool:
    """Return whether carriage returns separate rows within a line."""
    parts = line.removesuffix(b"\r").split(b"\r")
    separator = rows.separator.encode()
    return len(parts) > 1 and all(part.count(separator) == len(rows.columns) - 1 for part in parts)


def _as_ratings(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _parse_lines(content: bytes, written: RatingsForm, first_line: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Parse a piece line by line into good and damaged rows."""
    texts = content.decode("utf-8", errors="replace").removesuffix("\n").split("\n")
    lines = (
        pl.DataFrame({"row": texts}, schema={"row": pl.String})
        .with_row_index("line", first_line)
        .with_columns(pl.col("line").cast(pl.Int64), pl.col("row").str.strip_suffix("\r"))
    )
    lines = lines.with_columns(fields=_fields(lines["row"], written.rows))
    number = pl.col("fields").list.len()
    wanted = len(written.rows.columns)
    whole = lines.filter(number == wanted)
    cells = whole.select(_cell(name, written) for name in _COLUMNS)
    joined = cells.select(pl.concat_str(_COLUMNS, separator=",")).to_series()
    values = pl.read_csv(
        "\n".join(["a,b,c,d", *joined]).encode(), new_columns=list(_COLUMNS), schema_overrides=_PARSED,
        quote_char=None, ignore_errors=True,
    )  # fmt: skip
    parsed = pl.concat([whole.drop("fields"), values], how="horizontal").with_columns(reason=_reason(written))
    good = _as_ratings(parsed.filter(pl.col("reason").is_null()))
    wrong = parsed.filter(pl.col("reason").is_not_null()).select(list(QUARANTINE_SCHEMA))
    torn = lines.filter(number != wanted).select(
        "line", reason=pl.format("expected {} fields, found {}", pl.lit(wanted), number), row="row"
    )
    return good, pl.concat([wrong, torn]).sort("line")


def _fields(rows: pl.Series, rows_form: Form) -> pl.Series:
    """Split each row by itself, so that an unclosed quote ends with its line."""
    separator = rows_form.separator
    if rows_form.columns != _COLUMNS and len(separator) == 1 and rows.str.contains('"', literal=True).any():
        # A column that is not needed may hold the separator.
        return pl.Series([text_format.fields(row, separator) for row in rows], dtype=pl.List(pl.String))
    if len(separator) == 1:
        one = re.escape(separator)
        rows = rows.str.replace_all(rf'(^|{one})"([^"{one}]*)"', "$1$2")
    return rows.str.split(separator)


def _cell(name: str, written: RatingsForm) -> pl.Expr:
    """Return the text of a cell as a cell of CSV. A comma in it would be part of a number, so it is replaced."""
    cell = pl.col("fields").list.get(written.rows.columns.index(name))
    if name == "timestamp" and written.is_dated:
        dated = cell.str.contains(f"^{_DATE_AND_TIME}$")
        moment = cell.str.slice(0, 19).str.replace("T", " ").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
        cell = pl.when(dated).then(moment.dt.epoch("s").cast(pl.String)).otherwise(None).fill_null("")
    if name == "rating" and written.rows.separator != ",":
        # Where the comma separates decimals, spreadsheets separate columns by something else.
        cell = cell.str.replace(",", ".", literal=True)
    return cell.str.replace_all(",", "?", literal=True).alias(name)


def _reason(written: RatingsForm) -> pl.Expr:
    reasons = [
        pl.when(rule.broken).then(pl.lit(DATED if written.is_dated and rule.column == "timestamp" else rule.reason))
        for rule in _RULES
    ]
    return pl.coalesce(reasons)
