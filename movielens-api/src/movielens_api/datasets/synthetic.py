"""Synthetic datasets: ratings of any number with realistic distributions, the same for the same seed on every machine.

Random numbers are polars expressions. A number is a function of its position, not of the numbers before it (SplitMix64,
integer arithmetic modulo 2^64), so columns of any size can be generated piece by piece.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING

import polars as pl

from movielens_api.errors import StartupError
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

_GOLDEN = 0x9E3779B97F4A7C15
_MODULUS = 1 << 64
_BITS_OF_A_FRACTION = 53
# Shares no factor with TITLES, so that multiplying by it visits every title before it repeats one.
_STRIDE = 26_371
_FIRST_YEAR, _LAST_YEAR = 1920, 1994
VERSION = 1
_LARGEST = 100_000_000
_RATINGS_AT_ONCE = 1_000_000
_RATINGS_PER_USER = 154
_MIN_RATINGS_PER_USER = 20
# A median of 71 and a mean of 154 ratings per user, as in ml-25m.
_ACTIVITY_MEDIAN, _ACTIVITY_SIGMA = 51, 1.4
_MAX_SHARE_OF_MOVIES = 1 / 3
_MOVIES_PER_ROOT = 12.5
# Enough for the ratings of any one user of the smallest datasets.
_MIN_MOVIES = 1_000
# The chance of the movie of rank r falls with (r + flatness) ** -STEEPNESS; half of all users rate the first, as in
# MovieLens' datasets of any size.
_STEEPNESS, _FLATNESS = 1.7, 210
# How many of 1000 ratings are 0.5, 1.0, … 5.0.
_STARS = (16, 31, 16, 66, 51, 196, 127, 265, 88, 144)
_OF_MOVIE, _OF_USER = 0.45, 0.4
_FIRST_SECOND = 789_609_600  # Monday, 1995-01-09
_WEEKS = 25 * 52
_WEEKDAYS = (14, 14, 14, 13, 14, 15, 16)
_HOURS = (5, 4, 4, 3, 3, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 6, 6)
_RATINGS_PER_SITTING = 70
_SECONDS_PER_RATING = 12
_SITTINGS = pl.col("count") // _RATINGS_PER_SITTING + 1
_MAX_SITTINGS = 1 << 20
_HOUR, _DAY, _WEEK = 3_600, 86_400, 604_800


class Randomness:
    """Streams of random numbers.

    Args:
        seed: The seed of all streams.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, place: pl.Expr, stream: int) -> pl.Expr:
        """Return uniformly distributed numbers above 0 and below 1.

        Args:
            place: Integers from 0. Equal integers get equal random numbers.
            stream: The number of the stream.
        """
        fraction = (self._bits(place, stream) // _u64(1 << 64 - _BITS_OF_A_FRACTION)).cast(pl.Float64)
        return (fraction + 0.5) / (1 << _BITS_OF_A_FRACTION)

    def normal(self, place: pl.Expr, stream: int) -> pl.Expr:
        """Return numbers with the standard normal distribution (Box-Muller transform)."""
        bits = self._bits(place, stream)
        radius, angle = (half.cast(pl.Float64) for half in (bits // _u64(1 << 32), bits % _u64(1 << 32)))
        return (-2 * ((radius + 0.5) / (1 << 32)).log()).sqrt() * (angle * (2 * math.pi / (1 << 32))).cos()

    def _bits(self, place: pl.Expr, stream: int) -> pl.Expr:
        start = _mix(self._seed * _GOLDEN + stream)
        bits = place.cast(pl.UInt64) * _u64(_GOLDEN) + _u64(start)
        bits = (bits ^ (bits // _u64(1 << 30))) * _u64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits // _u64(1 << 27))) * _u64(0x94D049BB133111EB)
        return bits ^ (bits // _u64(1 << 31))


def _mix(number: int) -> int:
    bits = number % _MODULUS
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % _MODULUS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % _MODULUS
    return bits ^ (bits >> 31)


def _u64(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt64)


def _words(text: str) -> list[str]:
    return text.split()


_ADJECTIVES = _words(
    "Amber Ancient Broken Burning Careless Crimson Crooked Daring Distant Electric Endless Fading Final Forgotten "
    "Frozen Gentle Golden Hidden Hollow Hungry Invisible Last Little Lonely Lost Lucky Midnight Narrow Perfect Quiet "
    "Reluctant Restless Sacred Scarlet Second Secret Silent Silver Stolen Wild"
)
_NOUNS = _words(
    "Actor Alibi Bridge Captain Carnival Clockmaker Comet Courtroom Daughter Detective Dragon Empire Engine Garden "
    "Gambler Harbor Heart Hero Horizon House Island Journey Kingdom Letter Lighthouse Lover Machine Mirror Orchard "
    "Pilot Promise River Robot Season Shadow Sister Stranger Summer Voyage Winter"
)
_PLACES = _words(
    "Alaska Avalon Babylon Berlin Bombay Bremen Cairo Carthage Chicago Cordoba Dakar Delhi Dublin Florence Geneva "
    "Havana Helsinki Istanbul Jaipur Kyoto Lima Lisbon Madrid Malta Marseille Memphis Nairobi Naples Odessa Oslo Paris "
    "Prague Quebec Samarkand Seville Siena Tangier Trieste Venice Vienna"
)
_GENRES = _words(
    "Drama Comedy Thriller Romance Action Crime Horror Documentary Adventure Sci-Fi Mystery Fantasy War Western"
)
TITLES = len(_ADJECTIVES) * len(_NOUNS) * len(_PLACES)


def movies(count: int, randomness: Randomness) -> pl.DataFrame:
    """Generate movies with the numbers from 1 to ``count`` and unique titles.

    Args:
        count: The number of movies.
        randomness: The source of years and genres.
    """
    place = pl.int_range(count, dtype=pl.Int64)
    title = place * _STRIDE % TITLES
    # Squared: the newer, the more movies. All are older than the first rating.
    age = randomness.uniform(place, 1).pow(2) * (_LAST_YEAR - _FIRST_YEAR + 1)
    return pl.select(
        movieId=(place + 1).cast(pl.Int32),
        title=pl.format(
            "The {} {} of {}{}",
            _pick(_ADJECTIVES, title % len(_ADJECTIVES)),
            _pick(_NOUNS, title // len(_ADJECTIVES) % len(_NOUNS)),
            _pick(_PLACES, title // (len(_ADJECTIVES) * len(_NOUNS))),
            pl.when(place < TITLES).then(pl.lit("")).otherwise(pl.format(" {}", place // TITLES + 1)),
        ),
        year=(_LAST_YEAR - age.floor()).cast(pl.Int16),
        genres=_genres(place, randomness),
    )


def _pick(words: list[str], place: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(words)).gather(place)


def _genres(place: pl.Expr, randomness: Randomness) -> pl.Expr:
    # A main genre and, each for a third of the movies, further ones after it in the list: never the same twice.
    main = (randomness.uniform(place, 2).pow(2) * (len(_GENRES) - 2)).floor().cast(pl.Int64)
    chosen = [_pick(_GENRES, main)]
    for further in (1, 2):
        genre = pl.format("|{}", _pick(_GENRES, main + further))
        chosen.append(pl.when(randomness.uniform(place, 2 + further) < 1 / 3).then(genre).otherwise(pl.lit("")))
    return pl.concat_str(chosen)


def parse(text: str) -> tuple[int, int] | None:
    """Return number and seed of ``synthetic:N`` or ``synthetic:N:SEED``, or None for another name.

    Raises:
        StartupError: The text starts with ``synthetic``, but is not valid.
    """
    if not text.startswith("synthetic"):
        return None
    found = re.fullmatch(r"synthetic:(\d{1,18})(?::(\d{1,18}))?", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= _LARGEST:
        raise StartupError(f"{text!r} is not synthetic:N or synthetic:N:SEED with N from 1 to {_LARGEST:,}")
    return int(found[1]), int(found[2] or 0)


def load(number: int, seed: int = 0) -> Catalogue:
    """Generate ratings and movies. The same number and seed give the same dataset.

    Args:
        number: The number of ratings.
        seed: The seed.
    """
    randomness = Randomness(seed)
    world = _World(number, max(_MIN_MOVIES, round(_MOVIES_PER_ROOT * number**0.5)), randomness)
    # Not appended to one frame: a single copy of everything at the end takes less memory than growing.
    ratings = pl.concat(list(world.ratings()), rechunk=True)
    return Catalogue(f"synthetic:{number}:{seed}", ratings, movies(world.movies, randomness))


@dataclass(frozen=True)
class _World:
    number: int
    movies: int
    randomness: Randomness

    def ratings(self) -> Iterator[pl.DataFrame]:
        """Generate the ratings, for some users at a time."""
        users, ranking = self._users(), self._ranking()
        part = (users["start"] // _RATINGS_AT_ONCE).rle_id()
        for _, some in users.group_by(part.alias("part"), maintain_order=True):
            yield self._ratings(some, ranking)

    def _users(self) -> pl.DataFrame:
        """Return the number of ratings of each user, and the position of the first one."""
        users = max(1, self.number // _RATINGS_PER_USER)
        place = pl.int_range(users)
        activity = (
            _MIN_RATINGS_PER_USER + _ACTIVITY_MEDIAN * (_ACTIVITY_SIGMA * self.randomness.normal(place, 10)).exp()
        )
        # As many as there are movies at most: MAX_SHARE_OF_MOVIES leaves room for scaling to the requested number.
        weight = activity.clip(upper_bound=max(_MIN_RATINGS_PER_USER, self.movies * _MAX_SHARE_OF_MOVIES))
        end = (weight.cum_sum() / weight.sum() * self.number).round().cast(pl.Int64)
        table = pl.select(user=place, end=end)
        start = pl.col("end").shift(1, fill_value=0)
        return table.select("user", start=start, count=pl.col("end") - start)

    def _ranking(self) -> pl.Series:
        """Return the movies by popularity, which is independent of their numbers."""
        place = pl.int_range(self.movies)
        return pl.select((place + 1).cast(pl.Int32).sort_by(self.randomness.uniform(place, 11))).to_series()

    def _ratings(self, users: pl.DataFrame, ranking: pl.Series) -> pl.DataFrame:
        rows = users.with_columns(nth=pl.int_ranges("count")).explode("nth", empty_as_null=False)
        # Step by step: polars would compute a part that several columns share once for each.
        rows = rows.with_columns(place=pl.col("start") + pl.col("nth"))
        rows = rows.with_columns(rank=self._rank(), sitting=self._sitting())
        return rows.with_columns(which=pl.col("user") * _MAX_SITTINGS + pl.col("sitting")).select(
            userId=(pl.col("user") + 1).cast(pl.Int32),
            movieId=pl.lit(ranking).gather(pl.col("rank")),
            rating=self._stars(),
            timestamp=self._sitting_begins() + self._within_sitting(),
        )

    def _rank(self) -> pl.Expr:
        """Draw movies by their popularity, without repetition for each user."""
        # Sums of exponential steps are evenly spread numbers in ascending order.
        step = -self.randomness.uniform(pl.col("place"), 12).log()
        walked = step.cum_sum().over("user")
        beyond = -self.randomness.uniform(pl.col("user"), 13).log()
        chance = walked / (walked.max().over("user") + beyond)
        flatness = min(_FLATNESS, self.movies / 10)
        low, high = ((flatness + rank) ** (1 - _STEEPNESS) for rank in (0, self.movies))
        drawn = (low + chance * (high - low)).pow(1 / (1 - _STEEPNESS)) - flatness
        nth = pl.col("nth")
        # Whoever draws a movie again takes the next less popular one; from the end on, room is left for all to come.
        upwards = (drawn.floor().cast(pl.Int64) - nth).cum_max().over("user") + nth
        return pl.min_horizontal(upwards, self.movies - pl.col("count") + nth).clip(lower_bound=nth)

    def _stars(self) -> pl.Expr:
        normal = self.randomness.normal
        alone = (1 - _OF_MOVIE**2 - _OF_USER**2) ** 0.5
        liking = (
            _OF_MOVIE * normal(pl.col("rank"), 14)
            + _OF_USER * normal(pl.col("user"), 15)
            + alone * normal(pl.col("place"), 16)
        )
        bounds = [NormalDist().inv_cdf(sum_ / sum(_STARS)) for sum_ in list(accumulate(_STARS))[:-1]]
        return (_bounds_below(bounds, liking) + 1).cast(pl.Float32) / 2

    def _sitting(self) -> pl.Expr:
        """Return the user's sitting in which a rating is given. Earlier sittings have more ratings."""
        chance = self.randomness.uniform(pl.col("place"), 17)
        return (_SITTINGS.cast(pl.Float64) * chance * chance).floor().cast(pl.Int64)

    def _sitting_begins(self) -> pl.Expr:
        joined, later, weekday, hour, second = (
            self.randomness.uniform(pl.col(column), stream)
            for column, stream in (("user", 18), ("which", 19), ("which", 20), ("which", 21), ("which", 22))
        )
        week_joined = (joined * _WEEKS).floor()
        # The first sitting is when the user joins; the others mostly follow soon.
        wait = pl.when(pl.col("sitting") > 0).then(later.pow(4)).otherwise(0.0) * (_WEEKS - week_joined)
        week = (week_joined + wait.floor()).cast(pl.Int64)
        return (
            _FIRST_SECOND
            + week * _WEEK
            + _place(_WEEKDAYS, weekday) * _DAY
            + _place(_HOURS, hour) * _HOUR
            + (second * _HOUR).cast(pl.Int64)
        )

    def _within_sitting(self) -> pl.Expr:
        seconds = (pl.col("count") // _SITTINGS * (2 * _SECONDS_PER_RATING)).cast(pl.Float64)
        return (self.randomness.uniform(pl.col("place"), 23) * seconds).cast(pl.Int64)


def _place(weights: tuple[int, ...], chance: pl.Expr) -> pl.Expr:
    """Return positions in a list, each with the frequency of its weight."""
    bounds = [float(sum_) for sum_ in accumulate(weights)][:-1]
    return _bounds_below(bounds, chance * sum(weights))


def _bounds_below(bounds: list[float], value: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(bounds)).search_sorted(value).cast(pl.Int64)
