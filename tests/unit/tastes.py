"""Ratings of users with two tastes, who are new before, between and after two cuts."""

from __future__ import annotations

import numpy as np
import polars as pl
from unit import brute_force_model as slow

DAY = slow.DAY
CUTS = [200 * DAY, 300 * DAY]
MOVIES = list(range(10, 70))


def tastes(seed=3):
    """Return ratings of users with two tastes: 90 before the first cut, 40 new between, 40 new after the second.

    Some of the first users return within the windows after the cuts.
    """
    chance = np.random.default_rng(seed)
    rows = []

    def rate(user, start, number, movies):
        liked = [movie for movie in movies if movie % 2 == user % 2]
        for place, movie in enumerate(chance.permutation(movies)[:number]):
            stars = chance.choice([4.0, 4.5, 5.0] if movie in liked else [1.0, 2.0, 4.0])
            rows.append((user, int(movie), float(stars), start + place * 60))

    for user in range(90):
        rate(user, int(chance.integers(180)) * DAY, 30, MOVIES[:50])
    for user in range(100, 180):
        rate(user, (CUTS[user % 4 == 0] if user < 140 else CUTS[1]) + int(chance.integers(90)) * DAY, 35, MOVIES)
    for user in range(0, 90, 3):
        rate(user, CUTS[0] + int(chance.integers(40)) * DAY, 20, MOVIES)
    return pl.DataFrame(rows, schema=slow.SCHEMA, orient="row").unique(["userId", "movieId"], keep="first")
