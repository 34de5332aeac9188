"""The text of a ranking's file, and a movie's lines in it, without Polars, which would take longer to import."""

from __future__ import annotations

import csv
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.text_files import whole_text

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: dict[str, type[str] | type[int] | type[float]] = {
    "genre": str,
    "rank": int,
    "movieId": int,
    "title": str,
    "year": int,
    "genres": str,
    "score": float,
    "num_ratings": int,
    "avg_rating": float,
    "like_share": float,
    "upper_bound": float,
    "num_likes": int,
}
"""The columns of rankings, and the types of their values."""

NEVER_NULL = ("rank", "movieId", "score", "num_ratings")
"""The columns that every ranking has; those of the method ``mean`` in other words."""

MAX_TEXT = 2**26
"""Bytes of the text of a file, decompressed."""

# Of these columns, none has a comma or a line break in it.
_FIRST_COLUMNS = re.compile(rb"(genre,)?rank,movieId,")
_LONGEST_ROW = 1 << 16


def ranking_text(path: Path) -> bytes:
    """Return the text of a file, CSV or JSON.

    Raises:
        FileNotFoundError: It does not exist.
        OSError, ValueError: It cannot be read, or is too large.
    """
    return whole_text(path, FileFormat.of(str(path)).compression, MAX_TEXT)


def rows_in_csv(text: bytes, movie_id: int) -> list[dict[str, Any]] | None:
    """Return the rows of a movie in the CSV of a ranking, with the columns that `scan_ranking` gives.

    Args:
        text: The CSV.
        movie_id: The movie.

    Returns:
        The rows, in their order; None if the file does not begin and end as ours do, so that it has to be parsed.

    Raises:
        ValueError: A row is damaged.
    """
    first = _FIRST_COLUMNS.match(text)
    if first is None or not text.endswith(b"\n"):
        return None
    names = _values(text, 0)
    if not set(NEVER_NULL) <= set(names):
        return None
    genre = b"" if first[1] is None else rb"[^,\n]*,"
    rows = re.finditer(rb"\n%b\d+,%d," % (genre, movie_id), text)
    # A title in quotes may have lines that look like a row.
    starts = (row.start() + 1 for row in rows if text.count(b'"', 0, row.start()) % 2 == 0)
    return [_row(names, _values(text, start)) for start in starts]


def _values(text: bytes, start: int) -> list[str]:
    return next(csv.reader(StringIO(text[start : start + _LONGEST_ROW].decode(errors="replace"), newline="")))


def _row(names: list[str], values: list[str]) -> dict[str, Any]:
    given = dict(zip(names, values, strict=True))
    row = {name: kind(given[name]) if given[name] else None for name, kind in COLUMNS.items() if name in given}
    if missing := [name for name in NEVER_NULL if row[name] is None]:
        raise ValueError(f"values are missing in the columns {', '.join(missing)}")
    return row
