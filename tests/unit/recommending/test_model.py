"""What a model recommends, and its reasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import Model, ModelParameters, train
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.explanations import contributions, sentence_of
from airflow_movielens.recommending.histories import Histories, histories_of, latest_of, vectors, weighted_sums
from airflow_movielens.recommending.model import best_movies

RATINGS = slow.awkward_ratings()
PARAMETERS = ModelParameters(lambda_1=5.0, lambda_2=5.0, min_likes=4)
MODEL = train(RATINGS, PARAMETERS)
MOVIES = MODEL.catalogue.movies.tolist()
ALL_MOVIES = set(RATINGS["movieId"].to_list())
# New users: with likes in and outside the catalogue, re-ratings, a movie that nobody else rated, and without a like.
NEW = pl.DataFrame(
    [
        (1001, MOVIES[0], 5.0, 10), (1001, MOVIES[3], 3.5, 10), (1001, 900, 5.0, 11), (1001, MOVIES[5], 1.0, 12),
        (1001, MOVIES[0], 4.0, 13), (1001, 77_777, 5.0, 14),
        (1002, MOVIES[1], 2.0, 5),
        (-5, MOVIES[2], 4.5, 7),
    ],
    schema=slow.SCHEMA, orient="row",
)  # fmt: skip


def expected_scores(user):
    """Return the scores of all movies that the user has not rated, by the slow computation."""
    rows = [(MOVIES.index(movie), r) for movie, r in slow.histories(NEW).get(user, []) if movie in MOVIES]
    rated = NEW.filter(pl.col("userId") == user)["movieId"].to_list()
    trends = slow.trends(RATINGS, MOVIES)
    matrix = slow.b_1(RATINGS, MOVIES, 5.0) + 0.4 * slow.b_2(RATINGS, MOVIES, 5.0, 0.05)
    personal = dict(zip(MOVIES, slow.user_vector(rows, len(MOVIES), 0.05) @ matrix, strict=True))
    share = 0.6 / (2 + sum(rating >= 4 for _, rating in rows))
    return {movie: personal.get(movie, 0.0) + share * trends[movie] for movie in ALL_MOVIES - set(rated)}


@pytest.mark.parametrize("user", [1001, 1002, -5, 3_000])
def test_all_movies_that_a_user_has_not_rated_are_ranked_by_their_scores(user):
    found = MODEL.recommend(NEW, n=100, users=[3_000]).filter(pl.col("userId") == user)
    expected = expected_scores(user)
    assert dict(found.select("movieId", "score").iter_rows()) == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert found["rank"].to_list() == list(range(1, len(expected) + 1))
    assert found["score"].to_list() == sorted(found["score"].to_list(), reverse=True)


def test_recommendations_have_the_stated_columns_and_order():
    found = MODEL.recommend(NEW, n=3, users=[3_000, 1001, 3_000])
    assert dict(found.schema) == {"userId": pl.Int32, "rank": pl.Int32, "movieId": pl.Int32, "score": pl.Float32}
    assert found["userId"].to_list() == [user for user in (-5, 1001, 1002, 3_000) for _ in range(3)]
    assert found["rank"].to_list() == [1, 2, 3] * 4


def test_contributions_and_trend_sum_to_the_score():
    latest = latest_of(RATINGS)
    movies = MODEL.catalogue.all_movies
    known = histories_of(latest, MODEL.catalogue.movies)
    scores = MODEL.scores(known, len(MODEL.catalogue.other_movies))
    trend = np.concatenate([MODEL.catalogue.trend, MODEL.catalogue.other_trend])
    for user in range(len(known.users)):
        history = known.of_users(user, user + 1)
        added = contributions(MODEL, history, np.arange(len(movies))).sum(axis=0)
        total = added + PARAMETERS.trend / (2 + history.num_likes[0]) * trend
        np.testing.assert_allclose(scores[user], total, rtol=1e-5, atol=1e-6)


def test_reasons_are_the_likes_that_contribute_most():
    found = MODEL.recommend(RATINGS, n=5, explain=True)
    plain = MODEL.recommend(RATINGS, n=5)
    assert found.drop("reasons").equals(plain)
    rated = {user: dict(rows) for user, rows in slow.histories(RATINGS).items()}
    lengths = set()
    for user, movie, reasons in found.select("userId", "movieId", "reasons").iter_rows():
        rows = [(MOVIES.index(m), r) for m, r in rated[user].items() if m in MOVIES]
        vector = slow.user_vector(rows, len(MOVIES), 0.05)
        added = {} if movie not in MOVIES else {
            MOVIES[j]: vector[j] * MODEL.matrix[j, MOVIES.index(movie)] for j, r in rows if r >= 4
        }  # fmt: skip
        best = sorted((m for m in added if added[m] > 0), key=lambda m: (-added[m], m))[:3]
        assert [(reason["movieId"], reason["rating"]) for reason in reasons] == [(m, rated[user][m]) for m in best]
        assert [reason["contribution"] for reason in reasons] == pytest.approx([added[m] for m in best], rel=1e-5)
        lengths.add(len(reasons))
    assert lengths >= {1, 3}


def test_equal_contributions_are_ordered_by_movie():
    movies = np.arange(30, dtype=np.int32)
    nothing = np.zeros(0, np.float32)
    catalogue = Catalogue(movies, np.zeros(30, np.float32), nothing.astype(np.int32), nothing)
    model = Model(ModelParameters(decay=0.0), catalogue, np.ones((30, 30), np.float32), MODEL.trained_on)
    liked = [27, 3, 12, *range(28, 13, -1)]
    rows = [(1, movie, 5.0, second) for second, movie in enumerate(dict.fromkeys(liked))]
    found = model.recommend(pl.DataFrame(rows, schema=slow.SCHEMA, orient="row"), n=2, explain=True)
    assert found["movieId"].to_list() == [0, 1]
    assert [[reason["movieId"] for reason in reasons] for reasons in found["reasons"]] == [[3, 12, 14]] * 2


def test_without_likes_there_are_no_reasons():
    unliked = NEW.filter(pl.col("userId") == 1002)
    nobody = NEW.clear()
    schema = MODEL.recommend(NEW, explain=True).schema
    for ratings in (unliked, nobody):
        found = MODEL.recommend(ratings, n=3, users=[7], explain=True)
        assert found["reasons"].to_list() == [[]] * len(found)
        assert found.schema == schema


def test_a_user_gets_the_same_alone_and_among_others():
    everybody = MODEL.recommend(RATINGS, n=8)
    for user in (0, 7, 99):
        alone = MODEL.recommend(RATINGS.filter(pl.col("userId") == user), n=8)
        assert alone.equals(everybody.filter(pl.col("userId") == user))


def test_liked_movies_give_the_same_rows_as_their_ratings():
    others = MODEL.catalogue.other_movies.tolist()
    for liked in ([MOVIES[3], 77_777, MOVIES[0], others[0], MOVIES[3]], [others[1]], [77_777], []):
        rows = [(0, movie, 5.0, second) for second, movie in enumerate(liked)]
        ratings = pl.DataFrame(rows, schema=slow.SCHEMA, orient="row")
        expected = MODEL.recommend(ratings, 7, [0], explain=True).drop("userId").to_dicts()
        assert MODEL.recommend_by_likes(liked, 7).to_rows() == expected


def test_the_sum_of_one_user_is_that_of_a_sparse_product_to_the_last_bit():
    random = np.random.default_rng(5)
    matrix = random.normal(size=(500, 500)).astype(np.float32)
    movies = random.permutation(500)[:400].astype(np.int32)
    history = Histories(np.array([7]), np.array([0, 400]), movies, np.full(400, 5.0))
    weights = (random.random(400) * (random.random(400) < 0.7)).astype(np.float32)
    assert np.array_equal(weighted_sums(history, weights, matrix), vectors(history, weights, 500) @ matrix)


def test_many_users_are_scored_in_parts(monkeypatch):
    whole = MODEL.recommend(RATINGS, explain=True)
    monkeypatch.setattr("airflow_movielens.recommending.model.USERS_AT_ONCE", 7)
    assert MODEL.recommend(RATINGS, explain=True).equals(whole)


def test_nothing_that_a_user_has_rated_is_recommended():
    found = MODEL.recommend(RATINGS, n=1_000)
    pairs = RATINGS.select("userId", "movieId").unique()
    assert found.join(pairs, on=["userId", "movieId"]).is_empty()
    assert len(found) + len(pairs) == RATINGS["userId"].n_unique() * len(ALL_MOVIES)


def test_who_rated_the_whole_catalogue_is_recommended_other_movies():
    rows = [(5, movie, 4.0, second) for second, movie in enumerate([*MOVIES, 900])]
    found = MODEL.recommend(pl.DataFrame(rows, schema=slow.SCHEMA, orient="row"), n=2)["movieId"].to_list()
    assert found == [movie for movie in MODEL.catalogue.other_movies.tolist() if movie != 900][:2]


def test_equal_scores_are_ordered_by_movie():
    scores = np.array([1, 3, 3, 2, 3, -np.inf, 3], np.float32)
    movies = np.array([70, 60, 50, 40, 30, 20, 10], np.int32)
    assert movies[best_movies(scores, movies, 3)].tolist() == [10, 30, 50]
    assert movies[best_movies(scores, movies, 100)].tolist() == [10, 30, 50, 60, 40, 70]
    assert best_movies(scores[:0], movies, 3).tolist() == []


def test_similar_movies_raise_each_others_scores():
    found = MODEL.similar(MOVIES[2], n=1_000)
    assert dict(found.schema) == {"rank": pl.Int32, "movieId": pl.Int32, "score": pl.Float32}
    assert found["rank"].to_list() == list(range(1, len(MOVIES)))
    pairs = [(float(MODEL.matrix[2, other]), float(MODEL.matrix[other, 2])) for other in range(len(MOVIES))]
    expected = {
        MOVIES[other]: (one * another) ** 0.5 if min(one, another) > 0 else 0.0
        for other, (one, another) in enumerate(pairs)
        if other != 2
    }
    assert dict(found.select("movieId", "score").iter_rows()) == pytest.approx(expected, rel=1e-5)
    assert 0.0 in expected.values()
    assert found["movieId"].to_list() == sorted(expected, key=lambda movie: (-expected[movie], movie))
    assert MODEL.similar(MOVIES[2], n=4).equals(found.head(4))


@pytest.mark.parametrize("movie", [900, 77_777, -1, 2**40])
def test_a_movie_outside_the_catalogue_has_no_similar_ones(movie):
    with pytest.raises(ValueError, match=f"the model knows too few likes of movie {movie}: it has {len(MOVIES)} mov"):
        MODEL.similar(movie)


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (pl.DataFrame, lambda ratings: ratings),
        (pl.LazyFrame, lambda ratings: ratings.lazy()),
        (pd.DataFrame, lambda ratings: pd.DataFrame(ratings.to_dict(as_series=False))),
    ],
)
def test_the_kind_of_dataframe_is_that_of_the_ratings(kind, of):
    found = train(of(RATINGS), PARAMETERS).recommend(of(NEW), n=3, explain=True)
    assert isinstance(found, kind)
    rows = found.to_dict("records") if kind is pd.DataFrame else found.lazy().collect().to_dicts()
    assert rows == MODEL.recommend(NEW, n=3, explain=True).to_dicts()


def test_nobody_is_recommended_nothing():
    found = MODEL.recommend(NEW.clear(), explain=True)
    assert found.columns == ["userId", "rank", "movieId", "score", "reasons"]
    assert found.is_empty()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": 0}, "n is 0: give a whole number of at least 1"),
        ({"n": True}, "n is True"),
        ({"users": ["7"]}, "users has '7': give identifiers, each a whole number of 32 bits"),
        ({"users": [2**31]}, "users has 2147483648"),
        ({"ratings": NEW.drop("timestamp")}, "the ratings lack the columns timestamp"),
    ],
)
def test_bad_arguments_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        MODEL.recommend(**{"ratings": NEW, **arguments})


def test_reasons_in_words():
    titles = {1: "Heat", 2: "Toy Story"}
    reasons = [
        {"movieId": 1, "rating": 5.0, "contribution": 0.3},
        {"movieId": 2, "rating": 4.5, "contribution": 0.2},
        {"movieId": 3, "rating": 4.0, "contribution": 0.1},
    ]
    assert sentence_of(reasons, 1.0, titles) == "because you rated Heat 5.0, Toy Story 4.5, movie 3 4.0"
    assert sentence_of(reasons, 4.0, titles) == "films like Heat, Toy Story, movie 3"
    assert sentence_of([], 1.0, titles) == "trending now"
