"""The API server, with its own code, recommends by a saved model what the model itself recommends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import requests
from unit import brute_force_model as slow

from airflow_movielens.recommending import Model, ModelParameters, train
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.registry import ModelRegistry
from movielens_api.recommendations.artefacts import open_model
from movielens_api.recommendations.history import History
from movielens_api.recommendations.model import NotInCatalogueError

TRAINED = train(slow.awkward_ratings(), ModelParameters(lambda_1=5.0, lambda_2=5.0, min_likes=4))


def coarse_model(num_movies=600):
    """Return a model of few different values, so that many scores and contributions are equal."""
    chance = np.random.default_rng(7)
    movies = np.sort(chance.choice(5_000, num_movies + 200, replace=False)).astype(np.int32)
    is_inside = np.zeros(len(movies), bool)
    is_inside[chance.choice(len(movies), num_movies, replace=False)] = True
    catalogue = Catalogue(
        movies[is_inside],
        (chance.integers(0, 4, num_movies) / 4).astype(np.float32),
        movies[~is_inside],
        np.sort(chance.integers(0, 4, 200) / 8)[::-1].astype(np.float32),
    )
    matrix = (chance.integers(-2, 4, (num_movies, num_movies)) / 32).astype(np.float32)
    return Model(ModelParameters(decay=0.0), catalogue, matrix, TRAINED.trained_on)


def random_matrix(model):
    """Return the model with a matrix of arbitrary values, and a rating that fades."""
    size = len(model.catalogue.movies)
    matrix = np.random.default_rng(3).normal(0, 0.05, (size, size)).astype(np.float32)
    return Model(ModelParameters(), model.catalogue, matrix, model.trained_on)


COARSE = coarse_model()
MODELS = {"trained": TRAINED, "coarse": COARSE, "arbitrary": random_matrix(COARSE)}


def histories(model):
    """Return users with 0 to 500 ratings: in and outside the catalogue, at equal times, and again."""
    chance = np.random.default_rng(11)
    known = [*model.catalogue.all_movies.tolist(), 77_777, 2**31 - 1]
    rows = []
    for user, number in enumerate([1, 1, 2, 5, 12, 40, 120, 500, 500], start=1):
        seconds = chance.integers(0, number, number)
        stars = chance.integers(1, 11, number) / 2 if user != 2 else np.full(number, 5.0)
        rows += zip([user] * number, chance.choice(known, number).tolist(), stars, seconds, strict=True)
    outside = model.catalogue.other_movies[:3].tolist()
    rows += [(100, movie, 5.0, 1) for movie in outside] + [(101, 77_777, 5.0, 1)]
    rows += [(102, movie, 5.0, second) for second, movie in enumerate(model.catalogue.movies.tolist()[:100])]
    return pl.DataFrame(rows, schema=slow.SCHEMA, orient="row")


@pytest.fixture(params=sorted(MODELS))
def both(request, tmp_path):
    """Return a model, and the one that the server reads from its file."""
    model = MODELS[request.param]
    model.save(tmp_path / "model.npz")
    return model, open_model(tmp_path / "model.npz")


@pytest.mark.parametrize("n", [1, 10, 100])
def test_ranks_scores_and_reasons_are_equal(both, n):
    model, served = both
    ratings = histories(model)
    users = [*ratings["userId"].unique().to_list(), 999]
    expected = model.recommend(ratings, n, users, explain=True)
    for user in users:
        own = ratings.filter(pl.col("userId") == user)
        history = History.of(own["movieId"].to_numpy(), own["rating"].to_numpy(), own["timestamp"].to_numpy())
        found = served.recommend(history, n)
        wanted = expected.filter(pl.col("userId") == user)
        assert [each.movie for each in found] == wanted["movieId"].to_list()
        assert [each.score for each in found] == pytest.approx(wanted["score"].to_list(), rel=1e-6)
        for each, reasons in zip(found, wanted["reasons"], strict=True):
            given = [(why["movieId"], why["rating"]) for why in reasons]
            assert [(why.movie, why.rating) for why in each.reasons] == given
            contributions = [why["contribution"] for why in reasons]
            assert [why.contribution for why in each.reasons] == pytest.approx(contributions, rel=1e-6)


def test_the_cases_have_ties_and_reasons(tmp_path):
    found = COARSE.recommend(histories(COARSE), 100, [999], explain=True)
    assert found.group_by("userId").agg(pl.col("score").n_unique())["score"].min() < 20
    assert set(found["reasons"].list.len()) == {0, 1, 2, 3}


def test_similar_movies_are_equal(both):
    model, served = both
    for movie in model.catalogue.movies.tolist()[::7]:
        expected = model.similar(movie, 20)
        found = served.similar(movie, 20)
        assert [each.movie for each in found] == expected["movieId"].to_list()
        assert [each.score for each in found] == pytest.approx(expected["score"].to_list(), rel=1e-6)


def test_movies_without_similar_ones_are_the_same(both):
    model, served = both
    for movie in (*model.catalogue.other_movies.tolist()[:5], 77_777, -1):
        with pytest.raises(ValueError, match="too few likes"):
            model.similar(movie)
        with pytest.raises(NotInCatalogueError):
            served.similar(movie, 10)


@pytest.fixture
def url(tmp_path):
    """Serve the histories of users, and the champion of a registry."""
    registry = ModelRegistry(tmp_path / "registry")
    registry.promote(registry.register(COARSE, by="tests", reason="new"), by="tests", reason="better")
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    latest = histories(COARSE).unique(["userId", "movieId", "timestamp"], keep="last", maintain_order=True)
    latest.write_csv(dataset / "ratings.csv")
    (dataset / "movies.csv").write_text("movieId,title,genres\n77777,One (1999),Drama\n")
    command = [sys.executable, "-m", "movielens_api", "serve", "--port", "0", "--access-log", os.devnull]
    command += ["--dataset", dataset, "--data-dir", tmp_path / "data", "--recommendations", registry.folder]
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        while server.poll() is None and "Listening on" not in log.read_text():
            time.sleep(0.05)
        yield re.findall(r"Listening on (\S+)", log.read_text())[0]
        server.terminate()


@pytest.mark.slow
def test_responses_are_those_of_the_model_also_after_a_new_rating(url):
    session = requests.Session()
    session.auth = ("movielens", "movielens")

    def served(user):
        result = session.get(f"{url}/users/{user}/recommendations", timeout=30).json()["result"]
        return [(row["movieId"], row["score"], [why["movieId"] for why in row["reasons"]]) for row in result]

    def expected(ratings, user):
        rows = COARSE.recommend(ratings, users=[user], explain=True).filter(pl.col("userId") == user).iter_rows()
        return [
            (movie, pytest.approx(score), [why["movieId"] for why in reasons]) for _, _, movie, score, reasons in rows
        ]

    ratings = histories(COARSE).unique(["userId", "movieId", "timestamp"], keep="last", maintain_order=True)
    for user in [*ratings["userId"].unique(), 999]:
        assert served(user) == expected(ratings, user)
        liked = served(user)[0][0]
        new = {"userId": user, "movieId": liked, "rating": 5.0, "timestamp": 1_000}
        assert session.post(f"{url}/ratings", json=[new], timeout=30).status_code == 201
        ratings = pl.concat([ratings, pl.DataFrame([new], schema=slow.SCHEMA)])
        assert served(user) == expected(ratings, user)
        assert liked not in [movie for movie, _, _ in served(user)]
