"""The movies of the catalogue: their titles as people write them, and the search for what somebody typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_movielens.recommending.titles import TitleError, Titles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_movielens.storage.catalogue import Movie


@dataclass(frozen=True)
class Choice:
    """A movie that somebody may have meant.

    Attributes:
        text: What finds it.
        title: Its title, as it is shown.
    """

    text: str
    title: str


@dataclass(frozen=True)
class TypedMovie:
    """What somebody typed to name a movie.

    Attributes:
        text: What was typed.
        movie_id: The movie; None if it is not clear which.
        problem: Why it is not clear, in a sentence; None if it is.
        choices: The movies that may be meant.
    """

    text: str
    movie_id: int | None = None
    problem: str | None = None
    choices: list[Choice] = field(default_factory=list)


class MovieSearch:
    """The search in the movies of the catalogue.

    Args:
        read: Returns the movies by movieId, or nothing if they are not known. It is called once, when they are needed.
    """

    def __init__(self, read: Callable[[], Mapping[int, Movie]]) -> None:
        self._read = read

    @property
    def knows_titles(self) -> bool:
        """Whether there are titles at all."""
        return bool(self._movies)

    def find(self, text: str) -> TypedMovie:
        """Return the movie with a title, or with ``movieId 9`` or ``9``; see `Titles.find`."""
        try:
            return TypedMovie(text, self._all.find(text))
        except TitleError as error:
            if not self._movies:
                return TypedMovie(text, problem="Titles are not known here: type the movieId.")
            choices = [self._choice(title.movie_id) for title in error.choices]
            said = f"{error.problem}." if choices else f"{error}."
            return TypedMovie(text, problem=said[0].upper() + said[1:], choices=choices)

    def titles_of(self, movie_ids: Iterable[int]) -> Titles:
        """Return the titles of some movies."""
        known = {movie_id: self._movies[movie_id] for movie_id in movie_ids if movie_id in self._movies}
        return Titles.of_rows((movie_id, movie.title, movie.year) for movie_id, movie in known.items())

    def text_of(self, movie_id: int) -> str:
        """Return the title of a movie with its year, or its identifier if the title is not known."""
        return self.titles_of([movie_id]).text_of(movie_id)

    def genres_of(self, movie_id: int) -> list[str]:
        """Return the genres of a movie; none if they are not known."""
        return self._movies[movie_id].genres if movie_id in self._movies else []

    def text_that_finds(self, movie_id: int) -> str:
        """Return what `find` finds a movie by: its title, or its identifier if the title is not known or not clear."""
        title = self._all.text_of(movie_id)
        try:
            is_clear = self._all.find(title) == movie_id
        except TitleError:
            is_clear = False
        return title if is_clear else f"movieId {movie_id}"

    @cached_property
    def _movies(self) -> Mapping[int, Movie]:
        return self._read()

    @cached_property
    def _all(self) -> Titles:
        return self.titles_of(self._movies)

    def _choice(self, movie_id: int) -> Choice:
        title, text = self._all.text_of(movie_id), self.text_that_finds(movie_id)
        return Choice(text, title if text == title else f"{title}, {text}")
