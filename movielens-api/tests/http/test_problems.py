"""Every error is a problem document, on every route."""

from __future__ import annotations

import re
from typing import NoReturn

import pytest
import requests
from api_testing import Api, Serving, assert_problem

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

LISTS = ["/ratings", "/movies", "/users"]
ROUTES = ["/", *LISTS, "/movies/1", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]
PROTECTED = [*LISTS, "/movies/1", "/metrics"]


def test_these_are_all_routes(api: Api) -> None:
    documented = {path.replace("{movieId}", "1") for path in api.json("/openapi.json")["paths"]}
    assert documented == set(ROUTES) - {"/", "/openapi.json", "/docs"}


@pytest.mark.parametrize("path", sorted({*ROUTES} - {*PROTECTED}))
def test_public_routes_ignore_parameters(api: Api, path: str) -> None:
    assert Api(api.url, auth=None).get(f"{path}?_=1&_=2&limit=x").status_code == 200


@pytest.mark.parametrize("path", PROTECTED)
def test_401(api: Api, path: str) -> None:
    response = Api(api.url, auth=None).get(path)
    assert_problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", PROTECTED)
def test_401_comes_before_422(api: Api, path: str) -> None:
    assert_problem(Api(api.url, auth=None).get(path, limit="x"), 401)


@pytest.mark.parametrize("path", ["/nothing", "/ratings/", "/movies/1/ratings", "/redoc", "/a%20b%C3%A9%00", "/%ff"])
def test_404(api: Api, path: str) -> None:
    problem = assert_problem(api.get(path), 404)
    assert re.fullmatch(r"[\x21-\x7e]+", str(problem["instance"]))


METHODS = ["POST", "PUT", "PATCH", "DELETE"]
NOT_ALLOWED = [(path, method) for path in ROUTES for method in METHODS if (path, method) != ("/ratings", "POST")]


@pytest.mark.parametrize(("path", "method"), NOT_ALLOWED)
def test_405(api: Api, path: str, method: str) -> None:
    allowed = {"GET", "HEAD", "POST"} if path == "/ratings" else {"GET", "HEAD"}
    response = requests.request(method, api.url + path, auth=("movielens", "movielens"), timeout=10)
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == allowed


def assert_wrong(response: requests.Response, *parameters: str) -> None:
    errors = assert_problem(response, 422)["errors"]
    assert isinstance(errors, list)
    assert [error["parameter"] for error in errors] == list(parameters)
    assert all(set(error) == {"parameter", "message"} and error["message"] for error in errors)
    assert all(parameter in response.json()["detail"] for parameter in parameters)


NOT_COUNTS = [
    "-1",
    "1.0",
    "1.5",
    "1e3",
    "1_000",
    " 1",
    "",
    "x",
    "0x10",
    "\u0663",
    "null",
    "true",
    str(10**30),
    "9" * 6000,
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["offset", "limit"])
@pytest.mark.parametrize("value", [*NOT_COUNTS, str(2**63), "-" + "9" * 30])
def test_422_for_an_invalid_count(api: Api, path: str, name: str, value: str) -> None:
    assert_wrong(api.get(path, **{name: value}), name)


@pytest.mark.parametrize("path", LISTS)
def test_422_for_a_limit_above_the_maximum(api: Api, path: str) -> None:
    assert_wrong(api.get(path, limit=10_001), "limit")
    assert api.get(path, limit=10_000).status_code == 200


NOT_DAYS = [
    "1420070400", "20150101", "2015-W01-1", "2015-1-1", "2015-01-01T00:00:00", "2015-01-01 ", "2015-01-01\n",
    "2015-02-29", "2015-13-01", "0000-01-01", "10000-01-01", "-2015-01-01", "today", "", "\uff12015-01-01",
    "01/01/2015", "9" * 6000,
]  # fmt: skip


@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize("value", NOT_DAYS)
def test_422_for_an_invalid_day(api: Api, name: str, value: str) -> None:
    assert_wrong(api.get("/ratings", **{name: value}), name)


def test_422_for_reversed_days(api: Api) -> None:
    assert_wrong(api.get("/ratings", start_date="2015-01-02", end_date="2015-01-01"), "end_date")


@pytest.mark.parametrize("path", PROTECTED)
def test_422_for_an_unknown_parameter(api: Api, path: str) -> None:
    assert_wrong(api.get(path, strat_date="2015-01-01"), "strat_date")


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_only_ratings_have_days(api: Api, name: str) -> None:
    assert_wrong(api.get("/movies", **{name: "2015-01-01"}), name)


def test_406_names_the_available_types(api: Api) -> None:
    response = api.ask("/ratings", accept="text/html, image/*;q=0.5, application/json;q=0")
    detail = str(assert_problem(response, 406)["detail"])
    for name in ("application/json", "x-ndjson", "text/csv", "arrow.stream", "parquet"):
        assert name in detail
    assert response.headers["vary"] == "Accept, Accept-Encoding"


def cursor(api: Api) -> str:
    return str(api.get("/ratings").links["next"]["url"].removeprefix("?cursor="))


NOT_CURSORS = ["", "x", "A" * 88, "A" * 201, "\u0663" * 88, "null", "-1", "%00"]


@pytest.mark.parametrize("value", NOT_CURSORS)
def test_422_for_an_invalid_cursor(api: Api, value: str) -> None:
    assert_wrong(api.get("/ratings", cursor=value), "cursor")


def test_422_for_a_cursor_changed_after_the_snapshot(api: Api) -> None:
    genuine = cursor(api)
    assert api.get("/ratings", cursor=genuine).status_code == 200
    for place in range(28, len(genuine)):
        other = "A" if genuine[place] != "A" else "B"
        assert_wrong(api.get("/ratings", cursor=genuine[:place] + other + genuine[place + 1 :]), "cursor")


def test_422_for_another_spelling_of_a_valid_cursor(api: Api) -> None:
    genuine = cursor(api)
    for other in (genuine + "=", genuine + "\n", genuine[:-1], genuine[:5] + "!" + genuine[5:]):
        assert_wrong(api.get("/ratings", cursor=other), "cursor")


@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize("others", [{}, {"offset": 0, "limit": 1}])
def test_422_for_a_cursor_beside_a_day(api: Api, name: str, others: dict[str, int]) -> None:
    assert_wrong(api.get("/ratings", cursor=cursor(api), **{name: "2015-01-01"}, **others), "cursor")


@pytest.mark.parametrize(("name", "value"), [("offset", -1), ("offset", 2**63), ("limit", 10_001), ("limit", "")])
def test_422_for_a_wrong_section(api: Api, name: str, value: object) -> None:
    assert_wrong(api.get("/ratings", cursor=cursor(api), **{name: value}), name)


def test_422_for_a_section_of_an_invalid_cursor(api: Api) -> None:
    assert_wrong(api.get("/ratings", cursor="x", offset=0, limit=1), "cursor")


def test_410_for_a_snapshot_this_server_never_had(api: Api, serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as other:
        elsewhere = str(other.get("/ratings", limit=1).links["next"]["url"])
    problem = assert_problem(api.ask("/ratings" + elsewhere), 410)
    assert "first page" in str(problem["detail"])


def test_422_names_everything_that_is_wrong(api: Api) -> None:
    assert_wrong(api.get("/ratings", offset=-1, limit="x", start_date="y"), "offset", "limit", "start_date")


@pytest.mark.parametrize("number", ["-1", "x", "1.0", "1e3", str(2**31), str(10**30), "9" * 6000])
def test_422_for_an_invalid_movie_number(api: Api, number: str) -> None:
    assert_wrong(api.get(f"/movies/{number}"), "movieId")


class BrokenStore(Store):
    """A store that cannot be read."""

    async def current(self) -> NoReturn:
        raise RuntimeError("a secret of the server")


@pytest.mark.parametrize("path", PROTECTED)
def test_500_reveals_nothing_about_the_server(serving: Serving, small: Catalogue, path: str) -> None:
    store = BrokenStore.temporary(small)
    del small.movies  # so that reading them raises an error, too
    with store, serving(create_app(small, DEFAULT, store=store)) as server:
        response = server.get(path)
    assert_problem(response, 500)
    assert "secret" not in response.text
    assert "attribute" not in response.text
    assert "Traceback" not in response.text
