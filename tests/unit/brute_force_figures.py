"""The figures of recommendations once more, slowly, and what is recommended to whom in the protocols."""

from __future__ import annotations

import math
from collections import defaultdict

from unit import brute_force_model as slow


def ndcg(recommended, relevant):
    gains = [1 / math.log2(place + 1) for place in range(1, 11)]
    found = sum(gain for gain, movie in zip(gains, recommended, strict=False) if movie in relevant)
    return found / sum(gains[: len(relevant)])


def recall(recommended, relevant):
    return len(set(recommended) & set(relevant)) / len(relevant)


def novelty(lists, before):
    """Return the mean self-information of the recommended movies, in bits."""
    rated = slow.histories(before)
    raters = defaultdict(int)
    for rows in rated.values():
        for movie, _ in rows:
            raters[movie] += 1
    recommended = [movie for movies in lists for movie in movies]
    return sum(-math.log2(raters[movie] / len(rated)) for movie in recommended) / len(recommended)


def long_tail(lists, before):
    """Return the share of recommended movies outside the fewest that receive four fifths of the likes."""
    likes = defaultdict(int)
    for rows in slow.histories(before).values():
        for movie, rating in rows:
            likes[movie] += rating >= 4
    head, received = set(), 0
    for movie in sorted(likes, key=lambda movie: (-likes[movie], movie)):
        if received >= 0.8 * sum(likes.values()):
            break
        head.add(movie)
        received += likes[movie]
    recommended = [movie for movies in lists for movie in movies]
    return sum(movie not in head for movie in recommended) / len(recommended)


def new_user(rows, known_likes, catalogue):
    """Return what is known of a user and which movies are liked later, from all the user's ratings in time order."""
    places = [place for place, (movie, rating) in enumerate(rows) if rating >= 4 and movie in catalogue]
    if len(places) < max(15, known_likes + 5):
        return None
    known = rows[: places[known_likes - 1] + 1]
    return known, [rows[place][0] for place in places[known_likes:]]
