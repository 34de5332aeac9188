"""Ratings as JSON objects, written column by column: 10,000 rows take 0.6 ms.

Polars, which writes value by value, takes 2.0 ms.

A row is cut into pieces: a piece is a number of varying width and the text after it, up to the next such number.
After the last one, the text continues up to the first number of the next row. The pieces of many rows are filled
column by column. All have the same size, with zeros before a short number, and anything before a short piece. Then
they are copied to their places in the result, the last one first, and what is too long on the left is overwritten by
the next. So rows of any length are written without looking at each one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

# For fewer rows, polars is faster than the fixed cost of a few hundred steps.
MIN_ROWS = 2_000
# The pieces of a pass fit into the processor's cache, and into memory that is reused.
ROWS_PER_PASS = 5_000
RATING = "rating"
_MAX_HALF_STARS = 10
_RATING_BYTES = len("5.0")
# The texts of numbers consist of words, which are looked up.
_WORD = np.dtype(np.uint32)
_GROUP = 10**_WORD.itemsize
_DIGITS = np.array([b"%04d" % number for number in range(_GROUP)]).view(_WORD)

Array = npt.NDArray[Any]


def json_array(rows: pl.DataFrame, *, before: bytes = b"", after: bytes = b"") -> bytes | memoryview:
    """Write ratings as an array of JSON objects.

    Args:
        rows: Ratings with the columns of ``SCHEMA``, an id first. Ratings that are not half stars and negative numbers
            are written correctly, but at the speed of polars.
        before: What to write before the array.
        after: What to write after the array.

    Returns:
        All bytes in one piece. Joining pieces of this size takes longer than writing them, because the operating system
        has to provide new memory each time.
    """
    columns = _columns(rows)
    if columns:
        return _write(columns, before + b"[", b",", b"]" + after)
    written = BytesIO()
    written.write(before)
    rows.write_json(written)
    written.write(after)
    return written.getvalue()


def json_lines(rows: pl.DataFrame) -> bytes | memoryview:
    """Write ratings as JSON objects, one per line. See ``json_array`` for the arguments."""
    columns = _columns(rows)
    if columns:
        return _write(columns, b"", b"\n", b"\n")
    # `write_ndjson` takes ten times as long for a few rows. Rows contain only numbers, so no text is changed.
    objects = bytes(json_array(rows))[1:-1].replace(b"},{", b"}\n{")
    return objects and objects + b"\n"


@dataclass(frozen=True)
class _Column:
    """Integers, or ratings in half stars.

    Attributes:
        name: The name of the column.
        values: The numbers.
        shortest: The length of the shortest text.
        longest: The length of the longest text.
    """

    name: str
    values: Array
    shortest: int
    longest: int

    @classmethod
    def of(cls, name: str, values: Array) -> Self | None:
        """Return a column of integers, or None if one is negative."""
        smallest, largest = int(values.min()), int(values.max())
        if smallest < 0:
            return None
        # Dividing half as many bytes takes half the time.
        values = values.astype(np.uint32) if largest < 1 << 32 else values
        return cls(name, values, len(str(smallest)), len(str(largest)))

    @classmethod
    def of_ratings(cls, name: str, values: Array) -> Self | None:
        """Return a column of ratings, or None if one is not from 0 to 5 by half stars."""
        half_stars = values * 2
        # NaN fails both comparisons.
        if not (half_stars.min() >= 0 and half_stars.max() <= _MAX_HALF_STARS):
            return None
        whole = half_stars.astype(np.uint8)
        is_exact = (whole.astype(half_stars.dtype) == half_stars).all()
        return cls(name, whole, _RATING_BYTES, _RATING_BYTES) if is_exact else None

    def lengths(self) -> Array:
        """Return the length of each text."""
        lengths = np.full(len(self.values), self.shortest, np.uint8)
        for digits in range(self.shortest, self.longest):
            lengths += (self.values >= 10**digits).view(np.uint8)
        return lengths


def _columns(rows: pl.DataFrame) -> list[_Column] | None:
    """Return the columns, or None if polars has to write the rows."""
    if rows.height < MIN_ROWS:
        return None
    columns = []
    for series in rows.get_columns():
        kind = _Column.of_ratings if series.name == RATING else _Column.of
        column = None if series.null_count() else kind(series.name, series.to_numpy())
        if column is None:
            return None
        columns.append(column)
    return columns


class _Number(NamedTuple):
    """Where the text of a number is.

    Attributes:
        column: The column of the number.
        place: The place of its first word.
        words: How many words it has.
        first: What the first word may be, by its number. The others consist of digits only.
    """

    column: str
    place: int
    words: int
    first: Array

    def texts(self, numbers: Array) -> Array:
        """Return the words of each number."""
        texts = np.empty((len(numbers), self.words), _WORD)
        for word in reversed(range(1, self.words)):
            # Without the last group. The remainder operator takes three times as long.
            higher = numbers // _GROUP
            texts[:, word] = _DIGITS.take(numbers - higher * _GROUP)
            numbers = higher
        texts[:, 0] = self.first.take(numbers)
        return texts.view(self.dtype).ravel()

    @property
    def dtype(self) -> np.dtype[Any]:
        """All words of a number."""
        return np.dtype((np.void, self.words * _WORD.itemsize))


class _Piece:
    """A number of varying width, and the text after it.

    Args:
        column: The column of the number.
        longest: The length of its longest text.

    Attributes:
        column: The column of the number.
        room: The length of the place for the number, in whole words.
        text: Everything, with zeros instead of numbers.
        numbers: Where this number and those in the text are.
    """

    def __init__(self, column: str, longest: int) -> None:
        self.column = column
        self.room = longest + -longest % _WORD.itemsize
        self.text = bytearray()
        self.numbers: list[_Number] = []
        self.add(column, self.room)

    def add(self, column: str, length: int) -> None:
        """Add a number. Unless it fills its words, the first one begins with the end of the text before it."""
        start = len(self.text) - -length % _WORD.itemsize
        first = _first_words(bytes(self.text[start:]), is_rating=column == RATING)
        self.text += bytes(length)
        self.numbers.append(_Number(column, start, (len(self.text) - start) // _WORD.itemsize, first))


class _Layout:
    """The pieces of a row.

    Args:
        columns: For each column, its name, the length of its longest text, and whether others are shorter.
        between: What is written between two rows.

    Attributes:
        opening: The text before the first number.
        piece_bytes: The length of the longest piece.
        row: All pieces, each padded to this length.
        text_bytes: For each piece, the column of its number, and the length of the text after it.
        numbers: Where the number of each column is in the row, in the order of the columns.
    """

    def __init__(self, columns: tuple[tuple[str, int, bool], ...], between: bytes) -> None:
        names = [name for name, _, _ in columns]
        self.opening = b'{"%b":' % names[0].encode()
        pieces: list[_Piece] = []
        for name, longest, varies in columns:
            if pieces:
                pieces[-1].text += b',"%b":' % name.encode()
            if varies or not pieces:
                pieces.append(_Piece(name, longest))
            else:
                pieces[-1].add(name, longest)
        pieces[-1].text += b"}" + between + self.opening
        self.piece_bytes = max(len(piece.text) for piece in pieces)
        self.row = b"".join(piece.text.rjust(self.piece_bytes) for piece in pieces)
        self.text_bytes = {piece.column: len(piece.text) - piece.room for piece in pieces}
        self.numbers = [
            number._replace(place=end * self.piece_bytes - len(piece.text) + number.place)
            for end, piece in enumerate(pieces, 1)
            for number in piece.numbers
        ]


_layout = lru_cache(maxsize=256)(_Layout)


@lru_cache(maxsize=256)
def _first_words(before: bytes, *, is_rating: bool) -> Array:
    """Return the words that consist of a text and all numbers of the remaining length, or all ratings."""
    digits = _WORD.itemsize - len(before)
    stars = [b"%.1f" % (number / 2) for number in range(_MAX_HALF_STARS + 1)]
    numbers = stars if is_rating else [b"%0*d" % (digits, number) for number in range(10**digits)]
    return np.array([before + number for number in numbers]).view(_WORD)


def _write(columns: list[_Column], before: bytes, between: bytes, after: bytes) -> memoryview:
    layout = _layout(tuple((each.name, each.longest, each.shortest < each.longest) for each in columns), between)
    opening = before + layout.opening
    # The first piece, too, may be too long on its left.
    first = max(layout.piece_bytes, len(opening))
    starts = _starts(columns, layout, first)
    after_last = int(starts[-1]) + layout.piece_bytes
    # The last piece ends with the beginning of another row.
    end = after_last - len(between) - len(layout.opening)
    written = np.empty(max(after_last, end + len(after)), np.uint8)
    _put_pieces(columns, layout, starts, written)
    written[first - len(opening) : first] = np.frombuffer(opening, np.uint8)
    written[end : end + len(after)] = np.frombuffer(after, np.uint8)
    return written[first - len(opening) : end + len(after)].data


def _starts(columns: list[_Column], layout: _Layout, first: int) -> Array:
    """Return where each padded piece starts, if the first number starts at the given position."""
    by_name = {column.name: column for column in columns}
    lengths = [by_name[name].lengths() + np.uint8(text) for name, text in layout.text_bytes.items()]
    starts = np.empty((len(lengths[0]), len(lengths)), np.intp)
    starts[:, -1] = sum(lengths[1:], lengths[0]).cumsum(dtype=np.intp) + (first - layout.piece_bytes)
    for place in reversed(range(1, len(lengths))):
        starts[:, place - 1] = starts[:, place] - lengths[place]
    return starts.ravel()


def _put_pieces(columns: list[_Column], layout: _Layout, starts: Array, written: Array) -> None:
    """Write all pieces to the given positions."""
    size, row_bytes = layout.piece_bytes, len(layout.row)
    anything = np.dtype((np.void, size))
    # Each byte is the start of a piece that overlaps with the next.
    places = np.ndarray((len(written) - size + 1,), anything, written, strides=(1,))
    rows = len(columns[0].values)
    at_once = min(rows, ROWS_PER_PASS)
    buffer = bytearray(layout.row) * at_once
    pieces = np.frombuffer(buffer, anything)
    targets = [np.ndarray((at_once,), number.dtype, buffer, number.place, (row_bytes,)) for number in layout.numbers]
    per_row = row_bytes // size
    for first in reversed(range(0, rows, at_once)):
        after = min(first + at_once, rows)
        for column, number, target in zip(columns, layout.numbers, targets, strict=True):
            target[: after - first] = number.texts(column.values[first:after])
        these = starts[first * per_row : after * per_row]
        places[these[::-1]] = pieces[: len(these)][::-1]
