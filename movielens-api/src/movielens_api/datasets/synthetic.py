"""Invented ratings of any number that look like MovieLens' from afar: `synthetic:N` or `synthetic:N:SEED`.

What is like MovieLens: a few movies have most ratings, most users have few ratings and a few have thousands, the
half stars and the mode of 4.0, movies and users that are rated or rate higher than others, 25 years with busier
evenings and Sundays, a user's ratings in a few sittings with most in the first. What is not: users have no tastes,
so nothing can be learnt about who likes what.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist

import polars as pl

from movielens_api.catalogue import Catalogue
from movielens_api.datasets.invented_movies import movies
from movielens_api.datasets.randomness import Randomness
from movielens_api.errors import StartupError

VERSION = 1
LARGEST = 100_000_000
RATINGS_AT_ONCE = 1_000_000

RATINGS_PER_USER = 154
FEWEST_PER_USER = 20
# A median of 71 and a mean of 154 ratings per user, as in ml-25m.
ACTIVITY_MEDIAN, ACTIVITY_SIGMA = 51, 1.4
MOST_OF_ALL_MOVIES = 1 / 3

MOVIES_PER_ROOT = 12.5
# Enough for the ratings of any one user of the smallest datasets.
FEWEST_MOVIES = 1_000
# The chance of the movie of rank r falls with (r + flatness) ** -STEEPNESS; half of all users rate the first, as in
# MovieLens' datasets of any size.
STEEPNESS, FLATNESS = 1.7, 210

# How many of 1000 ratings are 0.5, 1.0, … 5.0.
STARS = (16, 31, 16, 66, 51, 196, 127, 265, 88, 144)
OF_MOVIE, OF_USER = 0.45, 0.4

FIRST_SECOND = 789_609_600  # Monday, 1995-01-09
WEEKS = 25 * 52
WEEKDAYS = (14, 14, 14, 13, 14, 15, 16)
HOURS = (5, 4, 4, 3, 3, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 6, 6)
RATINGS_PER_SITTING = 70
SECONDS_PER_RATING = 12
SITTINGS = pl.col("count") // RATINGS_PER_SITTING + 1
MOST_SITTINGS = 1 << 20
HOUR, DAY, WEEK = 3_600, 86_400, 604_800


def parse(text: str) -> tuple[int, int] | None:
    """Return the number and the seed of `synthetic:N` or `synthetic:N:SEED`, or None if it is no such name.

    Raises:
        StartupError: it begins so, but is not one.
    """
    if not text.startswith("synthetic"):
        return None
    found = re.fullmatch(r"synthetic:(\d{1,18})(?::(\d{1,18}))?", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= LARGEST:
        raise StartupError(f"{text!r} is not synthetic:N or synthetic:N:SEED with N from 1 to {LARGEST:,}")
    return int(found[1]), int(found[2] or 0)


def load(number: int, seed: int = 0) -> Catalogue:
    """Invent ratings and movies; the same number and seed give the same ones.

    Args:
        number: how many ratings.
        seed: another seed gives others.
    """
    randomness = Randomness(seed)
    world = _World(number, max(FEWEST_MOVIES, round(MOVIES_PER_ROOT * number**0.5)), randomness)
    # Not appended to one frame: a single copy of everything at the end takes less memory than growing.
    ratings = pl.concat(list(world.ratings()), rechunk=True)
    return Catalogue(f"synthetic:{number}:{seed}", ratings, movies(world.movies, randomness))


@dataclass(frozen=True)
class _World:
    number: int
    movies: int
    randomness: Randomness

    def ratings(self) -> Iterator[pl.DataFrame]:
        """Invent the ratings of some users after the other."""
        users, ranking = self._users(), self._ranking()
        part = (users["start"] // RATINGS_AT_ONCE).rle_id()
        for _, some in users.group_by(part.alias("part"), maintain_order=True):
            yield self._ratings(some, ranking)

    def _users(self) -> pl.DataFrame:
        """Return every user's number of ratings and the place of the first one."""
        users = max(1, self.number // RATINGS_PER_USER)
        place = pl.int_range(users)
        activity = FEWEST_PER_USER + ACTIVITY_MEDIAN * (ACTIVITY_SIGMA * self.randomness.normal(place, 10)).exp()
        # As many as there are movies at most: MOST_OF_ALL_MOVIES leaves room for scaling to the number asked for.
        weight = activity.clip(upper_bound=max(FEWEST_PER_USER, self.movies * MOST_OF_ALL_MOVIES))
        end = (weight.cum_sum() / weight.sum() * self.number).round().cast(pl.Int64)
        table = pl.select(user=place, end=end)
        start = pl.col("end").shift(1, fill_value=0)
        return table.select("user", start=start, count=pl.col("end") - start)

    def _ranking(self) -> pl.Series:
        """Return the movies by popularity, which has nothing to do with their numbers."""
        place = pl.int_range(self.movies)
        return pl.select((place + 1).cast(pl.Int32).sort_by(self.randomness.uniform(place, 11))).to_series()

    def _ratings(self, users: pl.DataFrame, ranking: pl.Series) -> pl.DataFrame:
        rows = users.with_columns(nth=pl.int_ranges("count")).explode("nth", empty_as_null=False)
        # Step by step: polars would compute a part that several columns share once for each.
        rows = rows.with_columns(place=pl.col("start") + pl.col("nth"))
        rows = rows.with_columns(rank=self._rank(), sitting=self._sitting())
        return rows.with_columns(which=pl.col("user") * MOST_SITTINGS + pl.col("sitting")).select(
            userId=(pl.col("user") + 1).cast(pl.Int32),
            movieId=pl.lit(ranking).gather(pl.col("rank")),
            rating=self._stars(),
            timestamp=self._sitting_begins() + self._within_sitting(),
        )

    def _rank(self) -> pl.Expr:
        """Return movies by their popularity, drawn by it, each user's all different."""
        # Sums of exponential steps are evenly spread numbers in ascending order.
        step = -self.randomness.uniform(pl.col("place"), 12).log()
        walked = step.cum_sum().over("user")
        beyond = -self.randomness.uniform(pl.col("user"), 13).log()
        chance = walked / (walked.max().over("user") + beyond)
        flatness = min(FLATNESS, self.movies / 10)
        low, high = ((flatness + rank) ** (1 - STEEPNESS) for rank in (0, self.movies))
        drawn = (low + chance * (high - low)).pow(1 / (1 - STEEPNESS)) - flatness
        nth = pl.col("nth")
        # Whoever draws a movie again takes the next less popular one; from the end on, room is left for all to come.
        upwards = (drawn.floor().cast(pl.Int64) - nth).cum_max().over("user") + nth
        return pl.min_horizontal(upwards, self.movies - pl.col("count") + nth).clip(lower_bound=nth)

    def _stars(self) -> pl.Expr:
        normal = self.randomness.normal
        alone = (1 - OF_MOVIE**2 - OF_USER**2) ** 0.5
        liking = (
            OF_MOVIE * normal(pl.col("rank"), 14)
            + OF_USER * normal(pl.col("user"), 15)
            + alone * normal(pl.col("place"), 16)
        )
        bounds = [NormalDist().inv_cdf(sum_ / sum(STARS)) for sum_ in list(accumulate(STARS))[:-1]]
        return (_bounds_below(bounds, liking) + 1).cast(pl.Float32) / 2

    def _sitting(self) -> pl.Expr:
        """Return in which of the user's sittings a rating is given; squared: the earlier, the more ratings."""
        chance = self.randomness.uniform(pl.col("place"), 17)
        return (SITTINGS.cast(pl.Float64) * chance * chance).floor().cast(pl.Int64)

    def _sitting_begins(self) -> pl.Expr:
        joined, later, weekday, hour, second = (
            self.randomness.uniform(pl.col(column), stream)
            for column, stream in (("user", 18), ("which", 19), ("which", 20), ("which", 21), ("which", 22))
        )
        week_joined = (joined * WEEKS).floor()
        # The first sitting is when the user joins; the others mostly follow soon.
        wait = pl.when(pl.col("sitting") > 0).then(later.pow(4)).otherwise(0.0) * (WEEKS - week_joined)
        week = (week_joined + wait.floor()).cast(pl.Int64)
        return (
            FIRST_SECOND
            + week * WEEK
            + _place(WEEKDAYS, weekday) * DAY
            + _place(HOURS, hour) * HOUR
            + (second * HOUR).cast(pl.Int64)
        )

    def _within_sitting(self) -> pl.Expr:
        seconds = (pl.col("count") // SITTINGS * (2 * SECONDS_PER_RATING)).cast(pl.Float64)
        return (self.randomness.uniform(pl.col("place"), 23) * seconds).cast(pl.Int64)


def _place(weights: tuple[int, ...], chance: pl.Expr) -> pl.Expr:
    """Return places in a list, each as often as its weight says."""
    bounds = [float(sum_) for sum_ in accumulate(weights)][:-1]
    return _bounds_below(bounds, chance * sum(weights))


def _bounds_below(bounds: list[float], value: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(bounds)).search_sorted(value).cast(pl.Int64)
