"""What an evaluation found, in charts: the sections that its report and the page in Airflow share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import fsum
from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.evaluation.charts import Bar, bars, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_movielens.recommending.evaluation.result import Evaluation

NAMES = {
    "challenger": "this model",
    "champion": "the champion",
    "trending": "the trending movies",
    "ease": "EASE",
    "mean": "the best mean ratings",
    "shuffled": "this model with its movies shuffled",
}
MINUS = "\N{MINUS SIGN}"
_ABOUT = {
    "champion": "the model that was served at the time",
    "trending": "what many users like lately, the same for everybody",
    "ease": "a well-known recommender, trained on the same likes",
    "mean": "the movies with the highest mean rating, the same for everybody",
    "shuffled": "as if trained on movies with mixed-up names: the test of the evaluation itself",
}


@dataclass(frozen=True)
class Section:
    """A chart, with what is needed to read it.

    Attributes:
        heading: What it is about.
        sentences: How to read it, as plain text.
        chart: The chart as HTML; empty if there is nothing to draw.
    """

    heading: str
    sentences: list[str]
    chart: str


def who_finds_most(evaluation: Evaluation, interval: Callable[[Sequence[float]], tuple[float, float]]) -> Section:
    """Return the mean NDCG@10 of each recommender, over the users of the gate.

    Args:
        evaluation: The evaluation.
        interval: Returns the 95 % interval of the mean of figures.
    """
    users = evaluation.gate_users
    rows = []
    for name in evaluation.recommenders:
        figures = users[name]
        mean = fsum(figures) / len(figures)
        low, high = interval(figures)
        label = capitalised(NAMES[name]) + (f", {_ABOUT[name]}" if name in _ABOUT else "")
        rows.append(Bar(label, mean, low, high, f"{mean:.3f}", is_main=name == "challenger"))
    rows.sort(key=lambda row: -row.value)
    explained = (
        f"Of each of {len(users['userId']):,} users who were new, {_listed(evaluation.known_likes)} likes were known. "
        "Then ten movies were recommended. A bar shows how many of the ten the users liked later, and how far up these "
        "were: 1 is a perfect list (NDCG@10). The thin lines are 95 % intervals."
    )
    return Section("Who finds what new users like", [explained], bars(rows))


def by_cut(evaluation: Evaluation, baseline: str) -> Section:
    """Return the differences from a baseline at each cut, for each number of known likes."""
    rows = []
    for entry in evaluation.new_users:
        label = f"{known(entry['known_likes'])}, {entry['users']:,} users new since {month(entry['cut'])}"
        rows.append(_difference(label, entry["differences"][baseline]))
    name = NAMES[baseline]
    explained = (
        "At each moment, the model knows only the ratings from before it, and recommends to users who came afterwards. "
        "The difference is in NDCG@10. Coloured points are clear differences. Where a line crosses the middle, these "
        "users alone are too few to tell."
    )
    chart = differences(rows, f"{name} better", "this model better")
    return Section(f"The difference from {name}", [explained], chart)


def returning(evaluation: Evaluation) -> Section:
    """Return the differences from the trending movies for users who had rated before."""
    told, rows = [], []
    for entry in evaluation.existing_users:
        if entry["note"]:
            told.append(f"After {month(entry['cut'])}: {entry['note']}.")
        if entry["users"]:
            label = (
                f"{entry['users']:,} users who returned in {len(entry['windows'])} windows after {month(entry['cut'])}"
            )
            rows.append(_difference(label, entry["differences"]["trending"]))
    days = evaluation.existing_users[0]["window_days"]
    explained = (
        f"Users who had rated before are recommended movies at the start of each window of {days} days, by all their "
        "earlier ratings. Counted is what they like within the window. The difference is in NDCG@10."
    )
    chart = differences(rows, "the trending movies better", "this model better") if rows else ""
    return Section("Users who return", [explained, *told], chart)


def known(likes: int) -> str:
    """Return a number of known likes in words."""
    return f"{likes} known like{'s' if likes > 1 else ''}"


def month(time: str) -> str:
    """Return the month of a time in words, such as ``November 2026``."""
    return f"{datetime.fromisoformat(time):%B %Y}"


def capitalised(text: str) -> str:
    """Return text with a capital first letter; the others stay as they are."""
    return text[0].upper() + text[1:]


def _difference(label: str, found: Mapping[str, Any]) -> Bar:
    is_clear = found["low"] > 0 or found["high"] < 0
    text = f"{found['mean']:+z.3f} ({found['low']:+z.3f} to {found['high']:+z.3f})".replace("-", MINUS)
    return Bar(label, found["mean"], found["low"], found["high"], text, is_main=is_clear)


def _listed(numbers: Sequence[int]) -> str:
    texts = [f"{number:,}" for number in numbers]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
