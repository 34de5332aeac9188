"""The model of recommendations once more, slowly: loops over ratings, and least squares instead of inverses."""

from __future__ import annotations

import math
import random
from collections import defaultdict

import numpy as np
import polars as pl

DAY = 86_400
SCHEMA = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}


def awkward_ratings(users=40, movies=14, seed=15):
    """Return ratings with movies of all popularities, ties in time, re-ratings, and users with many and few likes."""
    chance = random.Random(seed)
    rows = []
    for user in range(users):
        second = chance.randrange(200 * DAY)
        for _ in range(chance.choice([1, 3, 8, 30])):
            second += chance.choice([0, 0, 40, DAY])
            movie = 100 + 7 * int(chance.triangular(0, movies, 0))
            rows.append((user, movie, chance.choice([0.5, 2, 3, 3.5, 4, 4, 4.5, 5, 5]), second))
    many = [(99, 100 + 7 * movie, 4.0 + movie % 3 / 2, 150 * DAY + movie) for movie in range(movies)]
    rare = [(user, 900 + user % 4, chance.choice([2, 4, 5]), 140 * DAY + user) for user in range(users // 4)]
    disliked = [(user, 910 + user % 3, 2.0, 140 * DAY) for user in range(6)]
    return pl.DataFrame([*rows, *many, *rare, *disliked], schema=SCHEMA, orient="row")


def histories(ratings):
    """Return {user: [(movie, rating)]} in time order, with the latest rating of each movie."""
    latest = {}
    for user, movie, rating, second in ratings.iter_rows():
        latest[user, movie] = max(latest.get((user, movie), (-1, 0)), (second, rating))
    found = defaultdict(list)
    for (user, movie), (second, rating) in latest.items():
        found[user].append((second, movie, rating))
    return {user: [(movie, rating) for _, movie, rating in sorted(rows)] for user, rows in found.items()}


def weight(rating):
    return max(rating - 3, 0)


def catalogue(ratings, min_likes):
    """Return the movies with enough likes, ascending."""
    likes = defaultdict(int)
    for rows in histories(ratings).values():
        for movie, rating in rows:
            likes[movie] += rating >= 4
    return sorted(movie for movie, number in likes.items() if number >= min_likes)


def inside(ratings, movies):
    return {
        user: [(movies.index(movie), rating) for movie, rating in rows if movie in movies]
        for user, rows in histories(ratings).items()
    }


def user_vector(rows, size, decay):
    """Return the decayed weights of a history."""
    vector = np.zeros(size)
    for since, (movie, rating) in enumerate(reversed(rows)):
        vector[movie] = weight(rating) * math.exp(-decay * since)
    return vector


def mean_square(matrix):
    return np.mean([value**2 for value in matrix.ravel() if value])


def b_1(ratings, movies, regularisation):
    """Regress each movie on all others: ridge regression with a weight of 0 for the movie itself."""
    x = np.array([user_vector(rows, len(movies), 0.0) for rows in inside(ratings, movies).values()])
    matrix = np.zeros((len(movies), len(movies)))
    for movie in range(len(movies)):
        others = [other for other in range(len(movies)) if other != movie]
        matrix[others, movie] = ridge(x[:, others], x[:, movie], regularisation * mean_square(x))
    return matrix


def b_2(ratings, movies, regularisation, decay):
    """Regress later likes on the first ratings."""
    first, later = [], []
    for rows in inside(ratings, movies).values():
        for k in (1, 2, 3, 5, 10, 20):
            likes = [place for place, (_, rating) in enumerate(rows) if rating >= 4]
            if len(likes) > k:
                first.append(user_vector(rows[: likes[k - 1] + 1], len(movies), decay))
                later.append([float(movie in {rows[place][0] for place in likes[k:]}) for movie in range(len(movies))])
    return ridge(np.array(first), np.array(later), regularisation * mean_square(np.array(first)))


def ridge(inputs, outputs, regularisation):
    """Solve by least squares on rows that are added for the regularisation."""
    size = inputs.shape[1]
    inputs = np.vstack([inputs, math.sqrt(regularisation) * np.eye(size)])
    outputs = np.concatenate([outputs, np.zeros((size, *outputs.shape[1:]))])
    return np.linalg.lstsq(inputs, outputs, rcond=None)[0]


def trends(ratings, movies):
    """Return the trend of all movies, scaled by the highest of the catalogue."""
    latest = {}
    for user, movie, rating, second in ratings.iter_rows():
        latest[user, movie] = max(latest.get((user, movie), (-1, 0)), (second, rating))
    rows = [(movie, second, rating) for (_, movie), (second, rating) in latest.items()]
    now = max(second for _, second, _ in rows)
    seconds = [second for movie, second, _ in rows if movie in movies]
    likes = sum(rating >= 4 for movie, _, rating in rows if movie in movies)
    half_life = min(max(5000 * math.log(2) * (now - min(seconds)) / DAY / likes, 7), 365)
    mean = np.mean([rating for movie, _, rating in rows if movie in movies])
    found = {}
    for wanted in {movie for movie, _, _ in rows}:
        own = [(second, rating) for movie, second, rating in rows if movie == wanted]
        trending = sum(2 ** ((second - now) / DAY / half_life) for second, rating in own if rating >= 4)
        damped = (sum(rating for _, rating in own) + 25 * mean) / (len(own) + 25)
        found[wanted] = math.log(1 + trending) * damped
    highest = max(found[movie] for movie in movies)
    return {movie: trend / highest for movie, trend in found.items()}
