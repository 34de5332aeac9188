"""The movies of a catalogue: titles, years and genres by movieId."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from airflow_movielens.ratings.json_values import parse_json

if TYPE_CHECKING:
    import polars as pl

_NO_GENRES = "(no genres listed)"


@dataclass(frozen=True, slots=True)
class Movie:
    """A movie.

    Attributes:
        title: Its title.
        year: Its year; None if it is not known.
        genres: Its genres; may be empty.
    """

    title: str
    year: int | None
    genres: list[str]


def movies_of(frame: pl.DataFrame, known: dict[int, Movie]) -> dict[int, Movie]:
    """Return the movies of a dataframe that have a title.

    Args:
        frame: The columns movieId and title; year and genres (joined by ``|``) may be missing.
        known: The movies known before, for the year and genres where the dataframe has no such column.
    """
    unknown = Movie("", None, [])
    movies = {}
    for row in frame.sort("movieId").iter_rows(named=True):
        if row["title"]:
            before = known.get(row["movieId"], unknown)
            genres = _genres(row["genres"]) if "genres" in row else before.genres
            movies[row["movieId"]] = Movie(row["title"], row.get("year", before.year), genres)
    return movies


def _movie(title: str, year: int | None, genres: list[str]) -> Movie:
    are_right = isinstance(title, str) and isinstance(year, int | None) and isinstance(genres, list)
    if not are_right or not all(isinstance(genre, str) for genre in genres):
        raise ValueError(f"the movie {title!r} is damaged")
    return Movie(title, year, genres)


def _genres(text: str | None) -> list[str]:
    return [] if text is None or text == _NO_GENRES else [genre for genre in text.split("|") if genre]


def to_json(movies: dict[int, Movie]) -> bytes:
    """Return the content of the file of movies: an object of ``movieId: [title, year, genres]``."""
    return json.dumps({str(number): astuple(movie) for number, movie in movies.items()}).encode() + b"\n"


def from_json(content: bytes) -> dict[int, Movie]:
    """Read the result of `to_json`.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return {int(number): _movie(*values) for number, values in parse_json(content).items()}
    except (TypeError, AttributeError) as error:
        raise ValueError(f"these are not movies: {error}") from error
