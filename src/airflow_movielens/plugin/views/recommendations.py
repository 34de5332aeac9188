"""Recommendations for a user or for liked movies, and the movies similar to one."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import StringConstraints

from airflow_movielens.plugin.movie_search import MovieSearch, TypedMovie
from airflow_movielens.plugin.queries.runner import QUERIES, QueryError, QueryProcess
from airflow_movielens.plugin.registries import Registries
from airflow_movielens.plugin.rendering import page_url, render
from airflow_movielens.plugin.source import SourceDep
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.recommending.explanations import sentence_of
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Record

router = APIRouter()

_SHOWN = 10
_MOST_LIKES = 20
_FIELDS = 3
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
_NOTHING: list[str] = []
_INTEGER = re.compile("-?[0-9]{1,10}")


@dataclass(frozen=True)
class Answer:
    """What is shown below a form.

    Attributes:
        rows: The movies, best first, as `queries.recommendations` and `queries.models` describe them; each also has
            ``title``, ``genres`` and, of a recommendation, ``reason``.
        notes: Sentences about them.
        version: The version of the model, if it is the champion's answer.
        problem: Why there are no rows, and what to do; None if there are.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    version: str | None = None
    problem: str | None = None


@router.get("/recommendations/")
def recommendations(
    request: Request,
    source: SourceDep,
    *,
    user: _Text = "",
    like: Annotated[list[_Text], Query(max_length=_MOST_LIKES)] = _NOTHING,
    similar: _Text = "",
    registry: str = "",
) -> Response:
    """Show the forms, and what was asked for with them.

    Args:
        request: The request.
        source: The records that the user of the page may see.
        user: A userId, to show what the last published file recommends.
        like: Titles or identifiers of movies that a new user likes, the latest last.
        similar: The title or identifier of a movie, to show similar ones.
        registry: The folder of the registry; the one that was used last if empty.
    """
    # The process of the query imports what it needs while the catalogue is read.
    with QUERIES.start("models") if any(like) else nullcontext() as process:
        registries = Registries.of(source)
        if not registries.folders:
            return render(request, "recommendations.html", folders=[], problems=registries.problems)
        folder = registries.chosen(registry)
        search = MovieSearch(source.catalogue.movies)
        liked = [search.find(text) for text in like if text]
        for_likes = None if process is None else _for_likes(liked, folder, search, process)
    original = search.find(similar) if similar else None
    if original is not None and original.movie_id is not None:
        return RedirectResponse(page_url(request, f"movies/{original.movie_id}/similar/", registry=registry))
    published = _published(registries, folder)
    return render(
        request,
        "recommendations.html",
        failed=registries.failures(folder, ["recommendations"]),
        fields=min(max(_FIELDS, len(liked) + 1), _MOST_LIKES),
        folder=folder,
        folders=registries.folders,
        for_likes=for_likes,
        for_user=_for_user(user, published, search, source.catalogue.root) if user else None,
        knows_titles=search.knows_titles if liked or original or user else None,
        liked=liked,
        liked_titles=[search.text_of(movie.movie_id) for movie in liked if movie.movie_id is not None],
        original=original,
        problems=registries.problems,
        published=published,
        published_alias=None if published is None else _alias_of(published.facts.get("model"), folder),
        registry=registry,
        user=user,
    )


@router.get("/movies/{movie_id}/similar/")
def similar_movies(
    request: Request, source: SourceDep, movie_id: Annotated[int, Path(ge=0, lt=2**31)], registry: str = ""
) -> HTMLResponse:
    """Show the movies that the champion finds most similar to one."""
    with QUERIES.start("models") as process:
        registries = Registries.of(source)
        if not registries.folders:
            return render(request, "recommendations.html", folders=[], problems=registries.problems)
        folder = registries.chosen(registry)
        search = MovieSearch(source.catalogue.movies)
        answer = _by_champion(process, "similar", {"movie_id": movie_id, "n": _SHOWN}, folder, search)
    return render(
        request,
        "similar.html",
        answer=answer,
        current_view="recommendations",
        genres=search.genres_of(movie_id),
        like=search.text_that_finds(movie_id),
        movie_id=movie_id,
        problems=registries.problems,
        registry=registry,
        title=search.text_of(movie_id),
    )


def _published(registries: Registries, folder: str) -> Record | None:
    """Return the record of the file that was published last by models of a registry."""
    records = [record for record in registries.of_folder("recommendations", folder) if record.succeeded]
    return max(records, key=lambda record: record.at, default=None)


def _alias_of(version: object, folder: str) -> str | None:
    """Return the alias of a model in a registry; None if it has none, or if the registry is damaged."""
    try:
        aliases = asdict(ModelRegistry(folder).aliases())
    except (OSError, ValueError):
        return None
    return next((alias for alias, named in aliases.items() if named == version and version is not None), None)


def _for_user(text: str, published: Record | None, search: MovieSearch, root: str) -> Answer:
    """Return what the published file recommends to a user."""
    (column,) = (column for column in RATINGS.columns if column.name == "userId")
    if not _INTEGER.fullmatch(text) or not column.accepts([int(text)]):
        return Answer(problem=f"{text} is not a userId: type {column.expects}.")
    if published is None:
        return Answer(problem="No recommendations have been published yet: run MovielensRecommendOperator.")
    try:
        found = QUERIES.run("recommendations.for_user", {"user_id": int(text)}, [published.path], within=root)
    except QueryError as error:
        return Answer(problem=f"{error}.")
    if found["rows"]:
        return Answer(_in_words(found["rows"], search))
    if found["first_user"] is None:
        return Answer(problem=f"{published.path} has no users.")
    return Answer(
        problem=f"User {text} is not in {published.path}, which has users from {found['first_user']} to "
        f"{found['last_user']}. For a new user, type in movies instead."
    )


def _for_likes(liked: list[TypedMovie], folder: str, search: MovieSearch, process: QueryProcess) -> Answer | None:
    """Return what the champion recommends to a new user; None if it is not clear yet which movies are liked."""
    movies = [movie.movie_id for movie in liked if movie.movie_id is not None]
    if not movies or len(movies) < len(liked):
        return None
    return _by_champion(process, "recommend", {"movies": movies, "n": _SHOWN}, folder, search)


def _by_champion(
    process: QueryProcess, function: str, arguments: dict[str, Any], folder: str, search: MovieSearch
) -> Answer:
    """Return the answer of the champion of a registry."""
    try:
        path = ModelRegistry(folder).path_of("champion")
        found = process.run(function, arguments, [str(path)], within=folder)
    except LookupError as error:
        return Answer(problem=f"{error.args[0]}.")
    except (QueryError, ValueError) as error:
        return Answer(problem=f"{error}.")
    unknown = found.get("unknown", [])
    notes = [f"{search.text_of(movie)} has no influence, because too few users like it." for movie in unknown]
    return Answer(_in_words(found["rows"], search), notes, version=path.stem)


def _in_words(rows: list[dict[str, Any]], search: MovieSearch) -> list[dict[str, Any]]:
    """Add titles, genres, and the reasons as sentences."""
    reasons = [reason for row in rows for reason in row.get("reasons", ())]
    titles = search.titles_of({each["movieId"] for each in [*rows, *reasons]})
    names = titles.names
    return [
        row
        | {"title": titles.text_of(row["movieId"]), "genres": search.genres_of(row["movieId"])}
        | ({"reason": sentence_of(row["reasons"], row["score"], names)} if "reasons" in row else {})
        for row in rows
    ]
