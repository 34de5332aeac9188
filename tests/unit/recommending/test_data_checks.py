"""Checks of ratings before a training."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending.data_checks import check_ratings, stability_index
from airflow_movielens.recommending.histories import latest_of
from airflow_movielens.recommending.model import TrainingData

RATINGS = slow.awkward_ratings()
LATEST = latest_of(RATINGS)
LAST = datetime.fromtimestamp(RATINGS["timestamp"].max(), UTC)
NOW = LAST + timedelta(days=2)


def champion(until=1.0, **changes):
    """Return what a champion was trained on: the ratings in the first share of the time."""
    start, end = RATINGS["timestamp"].min(), RATINGS["timestamp"].max()
    until = start + until * (end - start)
    return replace(TrainingData.of(latest_of(RATINGS.filter(pl.col("timestamp") <= until))), **changes)


def found(check, ratings=RATINGS, trained_on=None, now=NOW):
    (finding,) = [each for each in check_ratings(ratings, trained_on or champion(), now) if each.check == check]
    return finding


def test_the_index_is_that_of_the_formula():
    expected, new = [10, 20, 70], [20, 20, 60]
    shares = [((n + 0.5) / 101.5, (e + 0.5) / 101.5) for n, e in zip(new, expected, strict=True)]
    assert stability_index(expected, new) == pytest.approx(sum((n - e) * math.log(n / e) for n, e in shares))
    assert stability_index(expected, expected) == 0
    assert stability_index([0, 100], [100, 0]) < 20
    assert stability_index(expected, new) == pytest.approx(stability_index(new, expected))


def test_the_ratings_of_the_champion_show_no_drift_and_no_loss():
    assert found("drift").level == found("volume").level == "ok"
    assert found("drift").sentence == "The ratings are distributed as before: the PSI is 0.000, not above 0.1."
    number = f"{len(LATEST):,}"
    assert found("volume").sentence == f"There are {number} ratings; the champion was trained on {number}."


def test_only_the_latest_rating_of_a_user_and_movie_counts():
    assert RATINGS.select("userId", "movieId").is_duplicated().any()
    again = RATINGS.with_columns(rating=pl.lit(0.5, pl.Float32), timestamp=pl.col("timestamp") - 1).filter(
        pl.col("timestamp") >= 0
    )
    assert found("drift", pl.concat([again, RATINGS])) == found("drift")


@pytest.mark.parametrize(
    ("share", "level", "limit"), [(0.1, "ok", "0.1"), (0.2, "warning", "0.1"), (0.9, "stop", "0.25")]
)
def test_drift_warns_and_stops(share, level, limit):
    """A share of the ratings becomes 0.5 stars."""
    changed = LATEST.with_columns(
        rating=pl.when(pl.int_range(pl.len()) < share * pl.len()).then(pl.lit(0.5)).otherwise("rating").cast(pl.Float32)
    )
    finding = found("drift", changed)
    index = stability_index(champion().histogram, TrainingData.of(changed).histogram)
    assert finding.level == level
    assert f"the PSI is {index:.3f}, {'not ' if level == 'ok' else ''}above {limit}" in finding.sentence
    assert ("the share of 0.5 stars was" in finding.sentence) == (level != "ok")
    assert str(finding) == f"drift: {level}. {finding.sentence}"


@pytest.mark.parametrize(
    ("more", "level"), [(0.9, "ok"), (1.1, "ok"), (1.2, "warning"), (1.9, "warning"), (2.1, "stop")]
)
def test_lost_ratings_warn_and_stop(more, level):
    number = round(more * len(LATEST))
    finding = found("volume", trained_on=champion(ratings=number))
    assert finding.level == level
    assert finding.sentence.startswith(f"There are {len(LATEST):,} ratings; the champion was trained on {number:,}")


def test_old_ratings_warn():
    earlier = champion(0.5)
    assert found("freshness", trained_on=earlier).level == "ok"
    assert found("freshness", trained_on=earlier, now=LAST + timedelta(days=30, hours=1)).level == "ok"
    finding = found("freshness", trained_on=earlier, now=LAST + timedelta(days=3700))
    assert finding.level == "warning"
    assert finding.sentence.startswith(f"The last rating is from {LAST:%Y-%m-%d %H:%M:%S} UTC, 3,700 days before ")
    assert finding.sentence.endswith(", which is more than 30 days.")


def test_ratings_without_later_ones_warn():
    finding = found("freshness")
    assert finding.level == "warning"
    assert finding.sentence.endswith(f"it is not later than the champion's, {LAST:%Y-%m-%d %H:%M:%S} UTC.")


def test_many_new_users_warn():
    users = RATINGS["userId"].n_unique()
    assert found("new users").sentence == (
        f"Of {users} users, 0 (0 %) rated for the first time after the champion's last rating."
    )
    earlier = champion(0.2)
    first = RATINGS.group_by("userId").agg(pl.col("timestamp").min())
    new = first.filter(pl.col("timestamp") > earlier.last_timestamp).height
    finding = found("new users", trained_on=earlier)
    assert new > users / 2
    assert finding.level == "warning"
    assert finding.sentence.startswith(f"Of {users} users, {new} (")
    assert finding.sentence.endswith("which is more than 50 %.")


def test_without_a_champion_only_freshness_is_checked():
    (finding,) = check_ratings(RATINGS, None, NOW)
    assert (finding.check, finding.level) == ("freshness", "ok")


def test_no_ratings_stop():
    for trained_on in (None, champion()):
        (finding,) = check_ratings(RATINGS.clear(), trained_on, NOW)
        assert (finding.check, finding.level, finding.sentence) == ("volume", "stop", "There are no ratings.")
