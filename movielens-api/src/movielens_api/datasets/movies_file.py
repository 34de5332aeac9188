"""The file of the movies, read as a whole. An error names the line that breaks the format."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import polars as pl

from movielens_api.datasets import text_format
from movielens_api.datasets.quarantine import MAX_QUOTE_LENGTH
from movielens_api.errors import DamagedDatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SCHEMA: dict[str, type[pl.DataType]] = {"movieId": pl.Int32, "title": pl.String, "genres": pl.String}
_COLUMNS = tuple(SCHEMA)
_LARGEST = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
# In u.item, number, title, two dates and a URL precede the flags of the genres.
_BEFORE_FLAGS = 5

Fields = list[str]
Movie = tuple[int, str, str | None]


class _BadRowError(Exception):
    """What was expected of a row."""


def read_csv(text: str, place: str) -> pl.DataFrame:
    """Read ``movies.csv``. The header decides the separator and the order of columns. Further columns are ignored.

    Args:
        text: The text of the file.
        place: The name of the file in messages.

    Raises:
        DamagedDatasetError: The file has the wrong format.
    """
    found = text_format.of_csv(text.split("\n", 2)[:2], place, _COLUMNS)
    places = [found.columns.index(name) for name in _COLUMNS]

    def movie(fields: Fields) -> Movie:
        _expect_fields(fields, len(found.columns))
        return _movie(*(fields[place] for place in places))

    rows = _csv_rows(text, found, place)
    return _frame(rows, movie, place)


def read_dat(text: str, place: str) -> pl.DataFrame:
    """Read ``movies.dat``: ``movieId::title::genres``.

    Args:
        text: The text of the file.
        place: The name of the file in messages.

    Raises:
        DamagedDatasetError: The file has the wrong format.
    """

    def movie(fields: Fields) -> Movie:
        _expect_fields(fields, len(_COLUMNS))
        return _movie(*fields)

    return _frame(_split_rows(text, "::", place), movie, place)


def read_items(text: str, genres: list[str], place: str) -> pl.DataFrame:
    """Read ``u.item``: number, title, two dates, a URL, and a flag for each genre.

    Args:
        text: The text of the file.
        genres: The genres in the order of their flags.
        place: The name of the file in messages.

    Raises:
        DamagedDatasetError: The file has the wrong format.
    """

    def movie(fields: Fields) -> Movie:
        _expect_fields(fields, _BEFORE_FLAGS + len(genres))
        flags = fields[_BEFORE_FLAGS:]
        if not set(flags) <= {"0", "1"}:
            raise _BadRowError("each genre to be 0 or 1")
        has = "|".join(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")
        return _number(fields[0]), _title(fields[1]), has or None

    return _frame(_split_rows(text, "|", place), movie, place)


def read_genres(text: str, place: str) -> list[str]:
    """Read ``u.genre``: each genre with its number, starting at 0.

    Args:
        text: The text of the file.
        place: The name of the file in messages.

    Raises:
        DamagedDatasetError: The file has the wrong format.
    """
    genres: list[str] = []
    for line, row, fields in _split_rows(text, "|", place):
        if len(fields) != 2 or not fields[0] or fields[1].strip() != str(len(genres)):  # noqa: PLR2004 - a pair
            raise _damaged(place, line, f"a genre and the number {len(genres)}, separated by |", row)
        genres.append(fields[0])
    return genres


def _csv_rows(text: str, found: text_format.Form, place: str) -> Iterator[tuple[int, str, Fields]]:
    lines = text.split("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=found.separator, strict=True)
    for _ in range(found.first_line - 1):
        next(reader)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DamagedDatasetError(
                f"{place}, line {line}: expected CSV, found {lines[line - 1][:MAX_QUOTE_LENGTH]!r} ({error})"
            ) from error
        if fields is None:
            return
        if fields:
            yield line, lines[line - 1], fields


def _split_rows(text: str, separator: str, place: str) -> Iterator[tuple[int, str, Fields]]:
    if not text.strip("\n"):
        raise DamagedDatasetError(f"{place} is empty")
    for line, row in enumerate(text.split("\n"), 1):
        if row:
            yield line, row, row.split(separator)


def _frame(rows: Iterable[tuple[int, str, Fields]], movie: Callable[[Fields], Movie], place: str) -> pl.DataFrame:
    movies: dict[int, Movie] = {}
    for line, row, fields in rows:
        try:
            found = movie(fields)
            if found[0] in movies:
                raise _BadRowError("each movieId only once")
        except _BadRowError as error:
            raise _damaged(place, line, str(error), row) from None
        movies[found[0]] = found
    return pl.DataFrame(list(movies.values()), schema=SCHEMA, orient="row")


def _movie(movie_id: str, title: str, genres: str) -> Movie:
    found = _number(movie_id), _title(title), genres
    # A space after the comma belongs to a title without quotes.
    if not genres.strip() or genres[0] == " " or _CONTROL.search(genres):
        raise _BadRowError("genres to be genres separated by |, with no space before them")
    return found


def _number(text: str) -> int:
    digits = text.strip(" ")
    if not re.fullmatch(r"[0-9]{1,19}", digits) or not 1 <= int(digits) <= _LARGEST:
        raise _BadRowError("movieId to be a whole number from 1")
    return int(digits)


def _title(text: str) -> str:
    if not text.strip() or _CONTROL.search(text):
        raise _BadRowError("title to be text in one line")
    return text


def _expect_fields(fields: Fields, number: int) -> None:
    if len(fields) != number:
        raise _BadRowError(f"{number} fields (a title with a separator needs quotes)")


def _damaged(place: str, line: int, expected: str, row: str) -> DamagedDatasetError:
    return DamagedDatasetError(f"{place}, line {line}: expected {expected}, found {row[:MAX_QUOTE_LENGTH]!r}")
