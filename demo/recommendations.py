"""The end of the demo: recommendations to two people with different tastes, and how their model was judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from airflow_movielens.recommending.explanations import sentence_of
from airflow_movielens.recommending.titles import Titles
from demo.pipeline import RECOMMENDING, run_to_its_end

if TYPE_CHECKING:
    from demo.airflow_api import Json
    from demo.stack import Stack

# One likes animated films, the other one films about crime.
PEOPLE = (600, 171)
LIKES = 3


@dataclass(frozen=True)
class Person:
    """A user, and what the model recommends.

    Attributes:
        user: The identifier.
        likes: The movies that are the reason most, by their contributions.
        movies: The title of each recommended movie, and the reason.
    """

    user: int
    likes: list[str]
    movies: list[tuple[str, str]]


@dataclass(frozen=True)
class Recommendations:
    """What a run of the Dag has done.

    Attributes:
        people: The recommendations to two people.
        trained: The return value of the training.
        decision: The return value of the promotion.
        report: The report of the evaluation.
        written: The return value of the task that recommended movies to all users.
    """

    people: list[Person]
    trained: Json
    decision: Json
    report: Path
    written: Json


def recommend(stack: Stack) -> Recommendations:
    """Run the Dag that trains, evaluates and promotes a model, and recommends movies to all users."""
    run_id = run_to_its_end(stack.airflow, stack.watch, RECOMMENDING, {})
    tasks = ("train_model", "evaluate_model", "promote_model", "recommend_movies")
    trained, evaluated, decision, written = (stack.airflow.xcom(RECOMMENDING, run_id, task) for task in tasks)
    titles = Titles.of(pl.DataFrame(stack.movies()))
    recommended = pl.read_parquet(written["path"])
    people = [_person(recommended.filter(pl.col("userId") == user), titles) for user in PEOPLE]
    return Recommendations(people, trained, decision, Path(evaluated["report"]), written)


def _person(recommended: pl.DataFrame, titles: Titles) -> Person:
    names = titles.names
    rows = list(recommended.select("movieId", "score", "reasons").iter_rows())
    liked: Counter[int] = Counter()
    for reason in (reason for _, _, reasons in rows for reason in reasons):
        liked[reason["movieId"]] += reason["contribution"]
    movies = [(titles.text_of(movie), sentence_of(reasons, score, names)) for movie, score, reasons in rows]
    return Person(recommended["userId"][0], [names[movie] for movie, _ in liked.most_common(LIKES)], movies)


def how_judged(found: Recommendations) -> tuple[str, str]:
    """Return a sentence on how the model was judged, and one on what followed."""
    trained, decision = found.trained, found.decision
    reason = decision["reason"]
    judged = (
        f"How the model of {trained['ratings']:,} ratings was judged: trained again on only the ratings before some "
        f"moments, it recommended movies to users who came later; {reason[:1].lower()}{reason[1:]}"
    )
    if decision["version"] == decision["champion"]:
        return judged, "So it is the champion, as before: the ratings have not changed"
    if not decision["is_promoted"]:
        return judged, "So it was not promoted, and the champion stays"
    if decision["champion"] is None:
        return judged, "So it was promoted as the first champion"
    return judged, "So it is the champion"
