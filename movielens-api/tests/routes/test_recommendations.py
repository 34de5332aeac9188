"""Recommendations by a model of the registry, to users of the sample and of ratings in the request."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from api_testing import Api, Launch, Model, Serving, assert_problem, drained
from auth_testing import ANN, BEN, ann_and_ben
from recommendation_testing import Arrays, Registry

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.recommendations.champion import Champion
from movielens_api.table.catalogue import Catalogue

LIKES = [{"movieId": 1, "rating": 5.0, "timestamp": 10}, {"movieId": 50, "rating": 4.5, "timestamp": 20}]
ROUTES = [("GET", "/users/1/recommendations"), ("GET", "/movies/1/similar"), ("POST", "/recommendations")]


def recommended(api: Api, ratings: Any, **params: Any) -> requests.Response:
    return api.session.post(api.url + "/recommendations", json=ratings, params=params, auth=api.auth, timeout=30)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def champion(registry: Registry) -> Iterator[Champion]:
    with closing(Champion(registry.folder)) as champion:
        yield champion


def promoted(registry: Registry, seed: int = 0) -> str:
    version = registry.register(Arrays(seed=seed).file())
    registry.promote(version)
    return version


def test_recommendations_have_titles_and_reasons(recommending: Api) -> None:
    response = recommended(recommending, LIKES)
    result = response.json()["result"]
    assert response.headers["Model"].startswith("20261129T")
    assert [row["rank"] for row in result] == [1, 2, 3, 4, 5, 6, 7]
    assert {row["movieId"] for row in result} == {2, 3, 10, 1172, 7, 4, 500}
    assert [row["score"] for row in result] == sorted((row["score"] for row in result), reverse=True)
    titles = {row["movieId"]: row["title"] for row in recommending.json("/movies", limit=10_000)["result"]}
    assert all(row["title"] == titles[row["movieId"]] for row in result)
    reasons = [reason for row in result for reason in row["reasons"]]
    rated = {1: ("Toy Story", 5.0), 50: ("Usual Suspects, The", 4.5)}
    assert reasons
    assert all((reason["title"], reason["rating"]) == rated[reason["movieId"]] for reason in reasons)
    assert all(reason["contribution"] > 0 for reason in reasons)


def test_a_user_is_recommended_the_same_as_the_ratings_in_a_request(recommending: Api, model: Model) -> None:
    for user in (1, 15, 547, 671):
        own = [row for row in model.rows if row["userId"] == user]
        ratings = [{name: row[name] for name in ("movieId", "rating", "timestamp")} for row in own]
        by_user = recommending.get(f"/users/{user}/recommendations", n=5)
        assert by_user.json() == recommended(recommending, ratings, n=5).json()
        assert not {row["movieId"] for row in by_user.json()["result"]} & {row["movieId"] for row in own}


def test_ndjson_is_accepted_too(recommending: Api) -> None:
    lines = "\n".join(map(json.dumps, LIKES))
    headers = {"Content-Type": "application/x-ndjson"}
    url = recommending.url + "/recommendations"
    response = requests.post(url, data=lines, headers=headers, auth=recommending.auth, timeout=30)
    assert response.json() == recommended(recommending, LIKES).json()


def test_nothing_is_stored(recommending: Api) -> None:
    before = recommending.ask("/ratings?limit=0").headers["Snapshot"]
    assert recommended(recommending, LIKES).ok
    assert recommending.ask("/ratings?limit=0").headers["Snapshot"] == before


def test_a_user_without_ratings_is_recommended_what_is_trending(recommending: Api) -> None:
    response = recommending.get("/users/2000000000/recommendations")
    assert response.status_code == 200
    assert response.json() == recommended(recommending, []).json()
    assert len(response.json()["result"]) == 9
    assert all(row["reasons"] == [] for row in response.json()["result"])


def test_a_new_rating_changes_the_next_response(serving: Serving, small: Catalogue, registry: Registry) -> None:
    promoted(registry)
    with closing(Champion(registry.folder)) as champion, serving(create_app(small, DEFAULT, champion=champion)) as api:
        path = "/users/2/recommendations"
        first = api.get(path)
        assert api.ask(path, if_none_match=first.headers["ETag"]).status_code == 304
        assert api.post([{"userId": 3, "movieId": 1, "rating": 5.0, "timestamp": 99}]).ok
        assert api.ask(path, if_none_match=first.headers["ETag"]).status_code == 304
        assert api.post([{"userId": 2, "movieId": 1, "rating": 5.0, "timestamp": 99}]).ok
        second = api.ask(path, if_none_match=first.headers["ETag"])
        assert second.status_code == 200
        assert 1 in {row["movieId"] for row in first.json()["result"]}
        assert 1 not in {row["movieId"] for row in second.json()["result"]}
        reasons = [reason for row in second.json()["result"] for reason in row["reasons"]]
        assert {(reason["movieId"], reason["title"], reason["rating"]) for reason in reasons} == {(1, None, 5.0)}
        # The same movie again: the later rating counts.
        assert api.post([{"userId": 2, "movieId": 1, "rating": 1.0, "timestamp": 100}]).ok
        third = api.json(path)["result"]
        assert all(row["reasons"] == [] for row in third)


def test_similar_movies(recommending: Api) -> None:
    response = recommending.get("/movies/1/similar", n=3)
    result = response.json()["result"]
    assert [set(row) for row in result] == [{"rank", "movieId", "title", "score"}] * 3
    assert [row["rank"] for row in result] == [1, 2, 3]
    assert 1 not in {row["movieId"] for row in recommending.json("/movies/1/similar", n=100)["result"]}
    etag = response.headers["ETag"]
    assert recommending.ask("/movies/1/similar?n=3", if_none_match=etag).status_code == 304
    assert recommending.ask("/movies/1/similar?n=4", if_none_match=etag).status_code == 200


@pytest.mark.parametrize(
    ("movie", "detail"),
    [
        (0, "There is no movie 0."),
        # In the dataset, in the model but not in its catalogue, and in both.
        (6, "The model knows too few likes of movie 6: its catalogue has 6 movies, each liked by at least 5 users."),
        (
            500,
            "The model knows too few likes of movie 500: its catalogue has 6 movies, each liked by at least 5 users.",
        ),
    ],
)
def test_movies_without_similar_ones(recommending: Api, movie: int, detail: str) -> None:
    assert assert_problem(recommending.get(f"/movies/{movie}/similar"), 404)["detail"] == detail
    assert recommending.ask(f"/movies/{movie}/similar", if_none_match="*").status_code == 404


@pytest.mark.parametrize("n", ["0", "101", "-1", "1.0", ""])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_n_has_bounds(recommending: Api, method: str, path: str, n: str) -> None:
    sent = [] if method == "POST" else None
    url = f"{recommending.url}{path}?n={n}"
    response = requests.request(method, url, json=sent, auth=recommending.auth, timeout=30)
    assert str(assert_problem(response, 422)["detail"]).startswith("n: Input should be")


@pytest.mark.parametrize(
    "path", ["/users/x/recommendations", "/users/2147483648/recommendations", "/movies/1.0/similar"]
)
def test_identifiers_are_whole_numbers(recommending: Api, path: str) -> None:
    assert_problem(recommending.get(path), 422)


@pytest.mark.parametrize(
    ("ratings", "status", "detail"),
    [
        ({}, 422, "Input should be an array of objects, one per rating."),
        ([{**LIKES[0], "userId": 1}], 422, "row 0, userId: A rating has no such column."),
        ([{"movieId": 1, "rating": 5.0}], 422, "row 0, timestamp: Field required."),
        ([{**LIKES[0], "rating": 4.2}], 422, "row 0, rating: Input should be a multiple of 0.5."),
        (LIKES * 5_001, 413, "A post may have at most 10,000 ratings and 2,097,152 bytes. Send fewer ratings."),
    ],
)
def test_ratings_that_are_wrong_are_refused(recommending: Api, ratings: Any, status: int, detail: str) -> None:
    assert assert_problem(recommended(recommending, ratings), status)["detail"] == detail


def test_the_longest_history(recommending: Api) -> None:
    ratings = [{"movieId": 1 + number, "rating": 5.0, "timestamp": number} for number in range(10_000)]
    assert recommended(recommending, ratings).json() == {"result": []}


def test_a_user_who_may_only_read_is_recommended_movies(
    serving: Serving, small: Catalogue, registry: Registry, champion: Champion, tmp_path: Path
) -> None:
    promoted(registry)
    champion.look()
    app = create_app(small, DEFAULT, champion=champion, users_file=ann_and_ben(tmp_path))
    with serving(app) as api:
        for auth in (ANN, BEN):
            assert recommended(Api(api.url, auth), LIKES).status_code == 200
        for method, path in ROUTES:
            assert requests.request(method, api.url + path, json=[], timeout=10).status_code == 401
        documented = api.json("/openapi.json")["paths"]
    assert "403" not in documented["/recommendations"]["post"]["responses"]
    assert "403" in documented["/ratings"]["post"]["responses"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_registry_a_problem_says_how_to_get_recommendations(api: Api, method: str, path: str) -> None:
    detail = assert_problem(api.ask(path, method), 404)["detail"]
    assert "pass --recommendations with the folder of a model registry" in str(detail)
    assert requests.request(method, api.url + path, timeout=10).status_code == 401


def test_the_page_for_browsers_shows_the_model(api: Api, recommending: Api) -> None:
    page, version = recommending.get("/").text, recommending.json("/readyz")["model"]
    assert f"<div><dt>Model</dt><dd>{version}</dd></div>" in page
    assert f"{recommending.url}/users/1/recommendations" in page
    assert "Model" not in api.get("/").text
    assert "recommendations" not in api.get("/").text


def test_without_a_registry_nothing_of_it_is_documented(api: Api, recommending: Api) -> None:
    without, there = api.json("/openapi.json")["paths"], recommending.json("/openapi.json")["paths"]
    added = {"/recommendations", "/users/{userId}/recommendations", "/movies/{movieId}/similar"}
    assert there.keys() - without.keys() == added
    assert "model" not in api.json("/readyz")
    assert "movielens_api_model" not in api.get("/metrics").text


def test_before_the_first_champion(serving: Serving, small: Catalogue, registry: Registry, champion: Champion) -> None:
    with serving(create_app(small, DEFAULT, champion=champion)) as api:
        for method, path in ROUTES:
            response = api.session.request(method, api.url + path, json=[], auth=api.auth, timeout=10)
            assert assert_problem(response, 503)["detail"] == "The model registry has no champion yet."
            assert response.headers["Retry-After"] == "10"
        assert api.json("/readyz") == {"status": "ok"}
        version = promoted(registry)
        champion.look()
        assert api.get("/users/1/recommendations").headers["Model"] == version


def test_a_champion_that_cannot_be_read_is_seen(
    serving: Serving, small: Catalogue, registry: Registry, champion: Champion
) -> None:
    bad = registry.register(b"PK\3\4")
    registry.promote(bad)
    champion.look()
    with serving(create_app(small, DEFAULT, champion=champion)) as api:
        problem = str(assert_problem(api.get("/users/1/recommendations"), 503)["detail"]).removesuffix(".")
        assert problem.startswith(f"{bad}.npz is damaged")
        assert api.json("/readyz") == {"status": "ok", "problem": problem}
        assert "movielens_api_model_problem 1.0" in api.get("/metrics").text
        good = promoted(registry)
        champion.look()
        assert api.json("/readyz") == {"status": "ok", "model": good}
        assert "movielens_api_model_problem 0.0" in api.get("/metrics").text
        registry.promote(bad)
        champion.look()
        assert api.json("/readyz") == {"status": "ok", "model": good, "problem": problem}
        metrics = api.get("/metrics").text
        assert f'movielens_api_model{{version="{good}"}} 1.0' in metrics
        assert "movielens_api_model_problem 1.0" in metrics
        assert api.get("/users/1/recommendations").headers["Model"] == good


@pytest.mark.slow
def test_champions_change_while_requests_run(launch: Launch, folder: Path, registry: Registry) -> None:
    first = promoted(registry)
    arguments = ("--dataset", str(folder), "--workers", "2", "--recommendations", str(registry.folder))
    url = drained(launch("serve", "--port", "0", *arguments))
    found: dict[str, set[bytes]] = defaultdict(set)
    statuses: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            # A connection each, so that both workers respond.
            response = recommended(Api(url), LIKES)
            statuses.add(response.status_code)
            found[response.headers["Model"]].add(response.content)

    def eventually(version: str) -> None:
        deadline = time.monotonic() + 30
        while {recommended(Api(url), LIKES).headers["Model"] for _ in range(20)} != {version}:
            assert time.monotonic() < deadline

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(first)
    second = promoted(registry, seed=1)
    eventually(second)
    # Damaged: the second stays, while a third is registered.
    registry.promote(registry.register(b"PK\3\4"))
    third = promoted(registry, seed=2)
    eventually(third)
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == {200}
    assert {version: len(bodies) for version, bodies in found.items()} == {first: 1, second: 1, third: 1}
    assert len(set.union(*found.values())) == 3
