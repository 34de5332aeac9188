"""How good a ranking is as a recommendation: NDCG@10 over windows of 60 days."""

from __future__ import annotations

import math

import polars as pl

from airflow_movielens.ranking import rank_movies

WINDOW = 60 * 86_400
TOP = 10
LIKE = 4.0


def mean_ndcg(ratings, method):
    """Return the mean over the windows from the middle rating on.

    At the start of each window the movies are ranked by all ratings before it. Each user is recommended the best ten
    that the user has not rated yet; relevant are those that the user likes within the window.
    """
    ratings = pl.DataFrame({name: ratings[name].to_numpy() for name in ("userId", "movieId", "rating", "timestamp")})
    start, last = ratings["timestamp"][len(ratings) // 2], ratings["timestamp"].max()
    time = pl.col("timestamp")
    rated = movies_of(ratings.filter(time < start))
    found = []
    while start < last:
        window = ratings.filter(time >= start, time < start + WINDOW)
        ranking = rank_movies(ratings.filter(time < start), method, as_of=start)["movieId"].to_list()
        likes = movies_of(window.filter(pl.col("rating") >= LIKE))
        users = [ndcg(ranking, rated.get(user, set()), liked) for user, liked in likes.items()]
        if users := [value for value in users if value is not None]:
            found.append(sum(users) / len(users))
        for user, movies in movies_of(window).items():
            rated[user] = rated.get(user, set()) | movies
        start += WINDOW
    return sum(found) / len(found)


def movies_of(ratings):
    """Return the movies of each user."""
    return {user: set(movies) for user, movies in ratings.group_by("userId").agg("movieId").iter_rows()}


def ndcg(ranking, rated, liked):
    """Return the NDCG@10 of a user, or None without a new like."""
    relevant = liked - rated
    if not relevant:
        return None
    best = []
    for movie in ranking:
        if movie not in rated:
            best.append(movie)
        if len(best) == TOP:
            break
    gain = sum(1 / math.log2(place + 2) for place, movie in enumerate(best) if movie in relevant)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(TOP, len(relevant))))
