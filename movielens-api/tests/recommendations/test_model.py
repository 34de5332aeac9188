"""Scores, similar movies and reasons, compared with plain loops."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from recommendation_testing import Arrays

from movielens_api.recommendations.artefacts import open_model
from movielens_api.recommendations.history import History
from movielens_api.recommendations.model import Model, NotInCatalogueError

Rating = tuple[int, float, int]
ARRAYS = Arrays(movies=[*range(10, 40)], others=[9, 3, 100, 50, 8])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "model.npz"
    path.write_bytes(ARRAYS.file())
    return open_model(path)


def history_of(ratings: list[Rating]) -> History:
    movies, stars, seconds = (list(column) for column in zip(*ratings, strict=True)) if ratings else ([], [], [])
    return History.of(movies, stars, seconds)


def expected(ratings: list[Rating]) -> list[tuple[int, float, list[tuple[int, float]]]]:
    """Return movie, score, and the movie and contribution of each reason, best first, as the page says it."""
    arrays = {name: array.astype(float).tolist() for name, array in ARRAYS.by_name.items()}
    movies, others = [*ARRAYS.movies], [*ARRAYS.others]
    latest = {
        movie: (second, movie, stars) for movie, stars, second in sorted(ratings, key=lambda row: (row[2], row[1]))
    }
    known = sorted(row for row in latest.values() if row[1] in movies)
    weights = {
        movie: max(stars - 3, 0) * math.exp(-0.05 * (len(known) - 1 - place))
        for place, (_, movie, stars) in enumerate(known)
    }
    likes = {movie for _, movie, stars in known if stars >= 4}
    found = []
    for movie, trend in zip([*movies, *others], [*arrays["trend"], *arrays["other_trend"]], strict=True):
        column = movies.index(movie) if movie in movies else None
        added = {
            rated: 0 if column is None else weights[rated] * arrays["matrix"][movies.index(rated)][column]
            for rated in weights
        }
        score = sum(added.values()) + 0.6 / (2 + len(likes)) * trend
        reasons = sorted((-value, rated) for rated, value in added.items() if rated in likes and value > 0)
        if movie not in latest:
            found.append((movie, score, [(rated, -value) for value, rated in reasons[:3]]))
    return sorted(found, key=lambda each: (-np.float32(each[1]), each[0]))


@pytest.mark.parametrize("number", [0, 1, 3, 12, 40, 400])
def test_movies_scores_and_reasons_are_those_of_plain_loops(model: Model, number: int) -> None:
    chance = random.Random(number)
    known = [*ARRAYS.movies, *ARRAYS.others, 77, 2**31 - 1]
    ratings = [(chance.choice(known), chance.randint(1, 10) / 2, chance.randint(0, number)) for _ in range(number)]
    wanted = expected(ratings)
    found = model.recommend(history_of(ratings), 100)
    assert {each.movie for each in found} == {movie for movie, _, _ in wanted}
    assert [each.score for each in found] == pytest.approx([score for _, score, _ in wanted], rel=1e-5, abs=1e-7)
    reasons = {movie: why for movie, _, why in wanted}
    for each in found:
        given = [why.contribution for why in each.reasons]
        assert given == pytest.approx([value for _, value in reasons[each.movie]], rel=1e-5)
        assert given == sorted(given, reverse=True)
        assert {why.movie for why in each.reasons} <= {movie for movie, _, _ in ratings}
    assert model.recommend(history_of(ratings), 3) == found[:3]


def test_equal_scores_are_ordered_by_movie(model: Model) -> None:
    nobody = model.recommend(history_of([]), 100)
    assert [each.movie for each in nobody] == [movie for movie, _, _ in expected([])]
    assert len({each.score for each in nobody}) < len(nobody)


def test_similar_movies_raise_each_others_scores(model: Model) -> None:
    matrix = ARRAYS.by_name["matrix"].astype(float)
    scores = np.sqrt(np.maximum(matrix, 0) * np.maximum(matrix.T, 0))
    for place, movie in enumerate(ARRAYS.movies):
        order = sorted(set(range(len(ARRAYS.movies))) - {place}, key=lambda other: (-scores[place, other], other))
        found = model.similar(movie, 5)
        assert [each.movie for each in found] == [ARRAYS.movies[other] for other in order[:5]]
        assert [each.score for each in found] == pytest.approx([scores[place, other] for other in order[:5]], rel=1e-6)


@pytest.mark.parametrize("movie", [0, 9, 100, 2**31 - 1])
def test_movies_outside_the_catalogue_have_no_similar_ones(model: Model, movie: int) -> None:
    with pytest.raises(NotInCatalogueError):
        model.similar(movie, 5)
    assert (movie in model) == (movie in ARRAYS.others)


@pytest.mark.parametrize(("movies", "others"), [([], [5]), ([], []), ([5], [])])
def test_a_model_of_few_movies(movies: list[int], others: list[int], tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(Arrays(movies, others).file())
    model = open_model(tmp_path / "model.npz")
    assert [each.movie for each in model.recommend(history_of([(8, 5.0, 1)]), 3)] == [*movies, *others]
    assert model.recommend(history_of([(5, 5.0, 1)]), 3) == []


def test_numbers_are_as_short_as_single_precision_allows(model: Model) -> None:
    for each in model.recommend(history_of([(10, 4.5, 1), (11, 5.0, 2)]), 20):
        assert str(each.score) == str(np.float32(each.score))


def test_two_ratings_of_a_movie_count_once() -> None:
    history = history_of([(1, 2.0, 9), (2, 5.0, 3), (1, 4.0, 8), (3, 1.0, 3), (2, 1.0, 3)])
    assert history.movies.tolist() == [2, 3, 1]
    assert history.ratings.tolist() == [5.0, 1.0, 2.0]
    assert history.digest() != history_of([(2, 5.0, 3), (3, 1.0, 3), (1, 4.0, 8)]).digest()
