"""Checks of ratings before a training: how they differ from those that the champion was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_movielens.ranking.dataframes import checked_ratings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals as nw

    from airflow_movielens.recommending.model import TrainingData

Level = Literal["ok", "warning", "stop"]

PSI_WARNS, PSI_STOPS = 0.1, 0.25
"""The usual limits of the population stability index: a moderate and a major shift."""
LOSS_WARNS, LOSS_STOPS = 0.1, 0.5
"""The share of the champion's ratings by which there may be fewer."""
OLD_DAYS = 30
"""Days since the last rating."""
NEW_USERS_WARN = 0.5
"""The share of users who are new."""

_STARS = [step / 2 for step in range(1, 11)]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: ``drift``, ``volume``, ``freshness`` or ``new users``.
        level: ``ok``, ``warning``, or ``stop`` if no model should be trained on these ratings.
        sentence: What was found, with the numbers.
    """

    check: str
    level: Level
    sentence: str

    def __str__(self) -> str:
        return f"{self.check}: {self.level}. {self.sentence}"


@dataclass(frozen=True)
class _Facts:
    """What is checked of ratings; only the latest of each user and movie counts in the histogram."""

    histogram: list[int]
    last_timestamp: int
    users: int
    new_users: int

    @property
    def ratings(self) -> int:
        return sum(self.histogram)


def check_ratings(ratings: Any, champion: TrainingData | None, now: datetime) -> list[Finding]:
    """Check ratings before a model is trained on them.

    - Drift: the population stability index of the histogram of ratings; above 0.1 warns, above 0.25 stops.
    - Volume: 10 % fewer ratings than the champion was trained on warn, 50 % fewer stop.
    - Freshness: a last rating that is older than 30 days, or not later than the champion's, warns.
    - New users: if more than half of the users rated for the first time after the champion's last rating, that warns.

    Args:
        ratings: A dataframe as for `train`; it is aggregated by its own engine.
        champion: What the champion was trained on; None without a champion, when only freshness is checked.
        now: The time from which the age of the last rating counts, with a time zone.

    Raises:
        TypeError: The ratings are no such dataframe.
        ValueError: A column is missing, or a value is missing or wrong.
    """
    facts = _facts(checked_ratings(ratings), 0 if champion is None else champion.last_timestamp)
    if facts is None:
        return [Finding("volume", "stop", "There are no ratings.")]
    if champion is None:
        return [_freshness(facts, None, now)]
    return [_drift(facts, champion), _volume(facts, champion), _freshness(facts, champion, now), _new_users(facts)]


def stability_index(expected: Sequence[int], found: Sequence[int]) -> float:
    """Return the population stability index of two histograms: Σ (f − e)·ln(f / e) over the shares e and f.

    See Siddiqi, "Credit Risk Scorecards" (2006), who also gives the limits 0.1 and 0.25. Half a rating is added to each
    count, so that none of them is 0.
    """
    return sum(_parts_of_index(expected, found))


def _parts_of_index(expected: Sequence[int], found: Sequence[int]) -> list[float]:
    pairs = zip(_shares(expected), _shares(found), strict=True)
    return [(new - old) * math.log(new / old) for old, new in pairs]


def _shares(histogram: Sequence[int]) -> list[float]:
    total = sum(histogram) + len(histogram) / 2
    return [(count + 0.5) / total for count in histogram]


def _facts(ratings: nw.LazyFrame[Any], since: int) -> _Facts | None:
    """Aggregate ratings; users are new if they rated for the first time after a second. None without ratings."""
    import narwhals as nw

    half_stars = (nw.col("rating") * 2).cast(nw.Int64)
    # The latest rating of each user and movie, at the same second the higher one, is the one with the highest order.
    order = (nw.col("timestamp") * 16 + half_stars).alias("order")
    latest = ratings.select("userId", "movieId", order).group_by("userId", "movieId").agg(nw.col("order").max())
    bars = latest.select(half_stars=nw.col("order") % 16).group_by("half_stars").agg(number=nw.len())
    counts = dict(bars.collect(backend="polars").select("half_stars", "number").iter_rows())
    if not counts:
        return None
    users = ratings.group_by("userId").agg(first=nw.col("timestamp").min(), last=nw.col("timestamp").max())
    is_new = nw.when(nw.col("first") > since).then(nw.lit(1)).otherwise(nw.lit(0))
    sums = users.select("last", is_new=is_new).select(nw.col("last").max(), nw.col("is_new").sum(), users=nw.len())
    last, new_users, num_users = sums.collect(backend="polars").row(0)
    histogram = [counts.get(number, 0) for number in range(1, len(_STARS) + 1)]
    return _Facts(histogram, int(last), int(num_users), int(new_users))


def _drift(facts: _Facts, champion: TrainingData) -> Finding:
    parts = _parts_of_index(champion.histogram, facts.histogram)
    index = sum(parts)
    level: Level = "stop" if index > PSI_STOPS else "warning" if index > PSI_WARNS else "ok"
    limit = PSI_STOPS if level == "stop" else PSI_WARNS
    if level == "ok":
        return Finding(
            "drift", level, f"The ratings are distributed as before: the PSI is {index:.3f}, not above {limit}."
        )
    bar = parts.index(max(parts))
    before, after = (_shares(histogram)[bar] for histogram in (champion.histogram, facts.histogram))
    return Finding(
        "drift",
        level,
        f"The distribution of the ratings has changed since the champion was trained: the PSI is {index:.3f}, above "
        f"{limit}; the share of {_STARS[bar]} stars was {_percent(before)} and is {_percent(after)}.",
    )


def _volume(facts: _Facts, champion: TrainingData) -> Finding:
    loss = 1 - facts.ratings / champion.ratings
    level: Level = "stop" if loss > LOSS_STOPS else "warning" if loss > LOSS_WARNS else "ok"
    numbers = f"There are {facts.ratings:,} ratings; the champion was trained on {champion.ratings:,}"
    if level == "ok":
        return Finding("volume", level, f"{numbers}.")
    limit = LOSS_STOPS if level == "stop" else LOSS_WARNS
    return Finding("volume", level, f"{numbers}, and {_percent(loss)} fewer are more than {_percent(limit)}.")


def _freshness(facts: _Facts, champion: TrainingData | None, now: datetime) -> Finding:
    last = datetime.fromtimestamp(facts.last_timestamp, UTC)
    days = (now - last).days
    when = f"The last rating is from {last:%Y-%m-%d %H:%M:%S} UTC, {days:,} days before {now.astimezone(UTC):%Y-%m-%d}"
    if champion is not None and facts.last_timestamp <= champion.last_timestamp:
        champions = datetime.fromtimestamp(champion.last_timestamp, UTC)
        return Finding(
            "freshness", "warning", f"{when}; it is not later than the champion's, {champions:%Y-%m-%d %H:%M:%S} UTC."
        )
    if days > OLD_DAYS:
        return Finding("freshness", "warning", f"{when}, which is more than {OLD_DAYS} days.")
    return Finding("freshness", "ok", f"{when}.")


def _new_users(facts: _Facts) -> Finding:
    share = facts.new_users / facts.users
    numbers = (
        f"Of {facts.users:,} users, {facts.new_users:,} ({_percent(share)}) rated for the first time after the "
        "champion's last rating"
    )
    if share > NEW_USERS_WARN:
        return Finding("new users", "warning", f"{numbers}, which is more than {_percent(NEW_USERS_WARN)}.")
    return Finding("new users", "ok", f"{numbers}.")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
