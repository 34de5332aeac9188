"""The current ranking of a kind, and the course of a movie through the rankings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from airflow_movielens.plugin.errors import PageError
from airflow_movielens.plugin.queries.runner import QUERIES, QueryError, QueryProcess
from airflow_movielens.plugin.rank_chart import rank_chart
from airflow_movielens.plugin.ranking_kinds import FACTS, RankingKind, ranking_kinds
from airflow_movielens.plugin.ranking_scores import SCORES
from airflow_movielens.plugin.rendering import render
from airflow_movielens.plugin.source import SourceDep
from airflow_movielens.storage.catalogue import Catalogue, Movie, Record

router = APIRouter()

ROWS = 100
MOST_ROWS = 2000
COURSE = 60
"""A movie's course is shown over so many rankings."""
COMPARED = {7: 3, 30: 7}
"""Rankings are compared with those of so many days earlier, or of up to so many days before that if there is none."""

MovieId = Annotated[int, Path(ge=0, lt=2**31)]
# A form sends an empty day if none was chosen.
Day = Annotated[date | None, BeforeValidator(lambda given: given or None)]


@dataclass(frozen=True)
class Selection:
    """The kind of ranking and the day that the URL asks for.

    Attributes:
        kinds: All kinds.
        kind: The kind.
        day: The day.
        last_failure: The record of the last try to write the file, if it failed.
        problems: What is damaged in the catalogue.
    """

    kinds: list[RankingKind]
    kind: RankingKind
    day: date
    last_failure: Record | None
    problems: list[str]

    @property
    def record(self) -> Record | None:
        """The record of the ranking; None if there is none of the day."""
        return self.kind.rankings.get(self.day)

    @property
    def address(self) -> dict[str, str]:
        """The query of a URL that selects the same."""
        return {"ranking": self.kind.name, "method": self.kind.method, "day": str(self.day)}


def _selection(source: SourceDep, ranking: str = "", method: str = "", day: Day = None) -> Selection:
    """Return what the URL asks for; by default the longest window of the last day, with the shortest name.

    Raises:
        PageError: There is no ranking yet, or none of this kind.
    """
    found = source.records("ranking", FACTS)
    kinds = ranking_kinds(found.records, source.catalogue.root)
    if not kinds:
        raise PageError("No movies have been ranked yet.", _what_to_do(found.records, source.catalogue.root), 200)
    same_name = [kind for kind in kinds if kind.name == ranking] if ranking else kinds
    if not same_name:
        raise PageError(
            f"There is no ranking {ranking}.", "Its files may have been renamed. Choose Rankings above.", 404
        )
    same_method = [kind for kind in same_name if kind.method == method] or same_name
    kind = max(same_method, key=lambda kind: (kind.last_day, kind.window, -len(kind.name)))
    day = kind.last_day if day is None else day
    record = kind.rankings.get(day)
    last_try = next((one for one in reversed(found.records) if record is not None and one.path == record.path), None)
    last_failure = last_try if last_try is not None and not last_try.succeeded else None
    return Selection(kinds, kind, day, last_failure, found.problems)


SelectionDep = Annotated[Selection, Depends(_selection)]


def _ranking_query() -> Iterator[QueryProcess]:
    """Start the process that will read the files of rankings, before the catalogue says which."""
    with QUERIES.start("rankings") as process:
        yield process


def _course_query() -> Iterator[QueryProcess]:
    with QUERIES.start("courses") as process:
        yield process


@router.get("/rankings/")
def show_ranking(
    request: Request,
    query: Annotated[QueryProcess, Depends(_ranking_query)],
    source: SourceDep,
    selection: SelectionDep,
    *,
    genre: str = "",
    search: str = "",
    rows: Annotated[int, Query(ge=1, le=MOST_ROWS)] = ROWS,
) -> HTMLResponse:
    """Show the first movies of a ranking with their movement."""
    search = " ".join(search.split())
    shown: dict[str, Any] = {"selection": selection, "problems": selection.problems, "genre": genre, "search": search}
    record = selection.record
    if record is None:
        return render(request, "rankings.html", 404, **shown, error=None, ranking=None)
    compared = {days: selection.kind.earlier(selection.day, days, more) for days, more in COMPARED.items()}
    earlier = [known for known in compared.values() if known is not None]
    titled = _titled(source.catalogue.movies(), search) if search else []
    arguments = {"genre": genre or None, "search": search, "titled": titled, "limit": rows}
    files = [record.path, *(selection.kind.rankings[known].path for known in earlier)]
    try:
        found = query.run("table", arguments, files, within=source.catalogue.root)
    except QueryError as error:
        return render(request, "rankings.html", error.status, **shown, error=error, ranking=None)
    found["rows"] = _with_names(found["rows"], source.catalogue)
    return render(
        request,
        "rankings.html",
        **shown,
        error=None,
        ranking=found,
        record=record,
        facts=defaultdict(lambda: None, source.facts_of(record)),
        score=SCORES[selection.kind.method],
        compared=compared,
        unreadable=[problem for problem in found["problems"] if problem],
        tolerances=COMPARED,
        rows=rows,
        more=min(rows + ROWS, MOST_ROWS),
    )


@router.get("/rankings/movies/{movie_id}/")
def show_course(
    request: Request,
    query: Annotated[QueryProcess, Depends(_course_query)],
    source: SourceDep,
    selection: SelectionDep,
    *,
    movie_id: MovieId,
    genre: str = "",
) -> HTMLResponse:
    """Show the ranks of a movie over time."""
    days = [known for known in selection.kind.rankings if known <= selection.day][-COURSE:]
    files = [selection.kind.rankings[known].path for known in days]
    found = query.run("course", {"movie_id": movie_id}, files, within=source.catalogue.root)
    rows = [row for of_day in found for row in of_day["rows"]]
    genres = sorted({row["genre"] for row in rows if "genre" in row})
    shown = genre if genre in genres else _best_genre(rows)
    course = {known: _row_of(of_day["rows"], shown) for known, of_day in zip(days, found, strict=True)}
    ranks = {known: None if row is None else row["rank"] for known, row in course.items()}
    unreadable = {known: of_day["problem"] for known, of_day in zip(days, found, strict=True) if of_day["problem"]}
    last = next((row for row in reversed(course.values()) if row is not None), {"movieId": movie_id})
    return render(
        request,
        "ranking_course.html",
        selection=selection,
        problems=selection.problems,
        movie=_with_names([last], source.catalogue)[0],
        genres=genres,
        genre=shown,
        course=course,
        previous={known: ranks[before] for before, known in pairwise(days) if before not in unreadable},
        chart=rank_chart(list(ranks.items())),
        score=SCORES[selection.kind.method],
        unreadable=unreadable,
    )


def _what_to_do(records: list[Record], root: str) -> str:
    if records:
        return f"The last task that tried failed: {records[-1].error}"
    return (
        "Unpause a Dag that ranks movies, such as 06_rank, or add a MovielensRankMoviesOperator whose output_path is "
        f"under {root}."
    )


def _titled(movies: Mapping[int, Movie], search: str) -> list[int]:
    """Return the movies whose title contains the search, and the one that it is the number of."""
    found = [movie_id for movie_id, movie in movies.items() if search.lower() in movie.title.lower()]
    return [*found, int(search)] if search.isdecimal() and len(search) < 10 else found  # noqa: PLR2004 - 32 bits


def _with_names(rows: list[dict[str, Any]], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return rows with a title and a list of genres: those of the file, otherwise those of the catalogue."""
    are_known = all(row.get("title") and row.get("genres") for row in rows)
    movies = {} if are_known else catalogue.movies()
    return [_with_name(row, movies.get(row["movieId"], Movie(f"Movie {row['movieId']}", None, []))) for row in rows]


def _with_name(row: dict[str, Any], known: Movie) -> dict[str, Any]:
    title, year = row.get("title") or known.title, row.get("year") or known.year
    genres = row["genres"].split("|") if row.get("genres") else known.genres
    return {
        **row,
        "title": title if year is None or title.endswith(f"({year})") else f"{title} ({year})",
        "genres": [genre for genre in genres if not genre.startswith("(")],
    }


def _best_genre(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the genre in which the last rank of a movie is the best; None if there are no genres."""
    ranks = {row["genre"]: row["rank"] for row in rows if "genre" in row}
    return min(ranks, key=lambda genre: (ranks[genre], genre), default=None)


def _row_of(rows: Iterable[dict[str, Any]], genre: str | None) -> dict[str, Any] | None:
    return next((row for row in rows if row.get("genre") == genre), None)
