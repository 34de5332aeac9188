"""The titles of movies as people write them: "The Matrix" instead of "Matrix, The"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

_ARTICLES = "the|a|an|la|le|les|l'|un|une|il|lo|i|gli|el|los|las|una|der|die|das|den|ein|eine|de|det|en|ett|het"
_ARTICLE_LAST = re.compile(f"(.+), ({_ARTICLES})", re.IGNORECASE)
_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_OTHER_NAME = re.compile(r"\s*\(([^()]+)\)")
_IDENTIFIER = re.compile("(movieId )?([0-9]{1,9})", re.IGNORECASE)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Title:
    """The title of a movie.

    Attributes:
        movie_id: The movie.
        name: Its name without the year, with the article in front.
        year: Its year; None if unknown.
    """

    movie_id: int
    name: str
    year: int | None

    def __str__(self) -> str:
        """Return the name with the year."""
        return self.name if self.year is None else f"{self.name} ({self.year})"


class TitleError(ValueError):
    """A title that stands for no movie, or for several.

    Args:
        problem: What is wrong.
        advice: What to do.
        choices: The movies with this title; if there are none, those with a similar one.
    """

    def __init__(self, problem: str, advice: str, choices: list[Title]) -> None:
        super().__init__(f"{problem}: {advice}")
        self.problem = problem
        self.choices = choices


class Titles:
    """The titles of movies, and the search in them.

    Args:
        titles: The titles.
    """

    def __init__(self, titles: Iterable[Title] = ()) -> None:
        self._titles = {title.movie_id: title for title in titles}

    @classmethod
    def of(cls, movies: pl.DataFrame | None) -> Titles:
        """Return the titles of a dataframe with movieId, title and perhaps year; None for no titles.

        A year at the end of a title, as in "Heat (1995)", counts if the dataframe has none.
        """
        if movies is None:
            return cls()
        columns = [name for name in ("movieId", "title", "year") if name in movies.columns]
        return cls.of_rows(movies.select(columns).drop_nulls("title").iter_rows())

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[Any]]) -> Titles:
        """Return the titles of rows of movieId, title and perhaps year, as `of` does."""
        return cls(_title(*row) for row in rows)

    @property
    def names(self) -> dict[int, str]:
        """The name of each movie without year and other names, as `explanations.sentence_of` takes them."""
        return {movie_id: _OTHER_NAME.sub("", title.name).strip() for movie_id, title in self._titles.items()}

    def text_of(self, movie_id: int) -> str:
        """Return the name of a movie with its year, or its identifier if its title is unknown."""
        return str(self._titles.get(movie_id, f"movie {movie_id}"))

    def find(self, text: str) -> int:
        """Return the movie with a title.

        Case does not matter, the year may be left out, and the article may stand in front or at the end. A name in
        parentheses, as in "Seven (a.k.a. Se7en)", is also a title, and so is the name before it. A number that is no
        title is the identifier of a movie, and "movieId 9" is one in any case.

        Raises:
            TitleError: There is no such movie, or there are several.
        """
        identifier = _IDENTIFIER.fullmatch(text.strip())
        if identifier and identifier[1]:
            return int(identifier[2])
        wanted = _title(0, text)
        found = [title for title in self._titles.values() if _key(title.name) == _key(wanted.name)]
        found = found or [title for title in self._titles.values() if _key(wanted.name) in _other_keys(title.name)]
        found = [title for title in found if wanted.year in (None, title.year)]
        if len(found) == 1:
            return found[0].movie_id
        if found:
            found = sorted(found, key=lambda title: (title.year or 0, title.movie_id))
            raise TitleError(f"{shown(text)} is the title of several movies", f"give one of {_listed(found)}", found)
        if identifier:
            return int(identifier[2])
        near = self._near(_key(wanted.name))
        advice = f"did you mean {_listed(near)}?" if near else "check its spelling"
        raise TitleError(f"no movie has the title {shown(text)}", advice, near)

    def _near(self, key: str) -> list[Title]:
        """Return the titles most like one: those that contain it, then those that are spelled alike."""
        by_key = {_key(title.name): title for title in self._titles.values()}
        containing = sorted((known for known in by_key if key and key in known), key=len)
        # This compares with every title, which takes long.
        alike = get_close_matches(key, by_key, n=_SHOWN) if len(containing) < _SHOWN else []
        return [by_key[known] for known in dict.fromkeys([*containing, *alike])][:_SHOWN]


def _title(movie_id: int, text: str, year: int | None = None) -> Title:
    found = _YEAR.search(text)
    name = text[: found.start()] if found else text
    return Title(movie_id, _with_article_in_front(name.strip()), int(found[1]) if found and year is None else year)


def _with_article_in_front(name: str) -> str:
    start, parenthesis, others = name.partition(" (")
    found = _ARTICLE_LAST.fullmatch(start)
    if found is None:
        return name
    rest, article = found.groups()
    return f"{article}{'' if article.endswith(chr(39)) else ' '}{rest}{parenthesis}{others}"


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _other_keys(name: str) -> set[str]:
    """Return the names that a title with parentheses contains."""
    others = [other.removeprefix("a.k.a. ") for other in _OTHER_NAME.findall(name)]
    return {_key(_with_article_in_front(other)) for other in [_OTHER_NAME.sub("", name), *others]}


def _listed(titles: list[Title]) -> str:
    """Return titles in words, with the identifiers of those that look the same."""
    texts = [str(title) for title in titles]
    named = (f"{title}, movieId {title.movie_id}" if texts.count(str(title)) > 1 else str(title) for title in titles)
    return "; ".join(named)
