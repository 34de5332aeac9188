"""The HTML of the landing page and its headers. test_browser shows them in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests
from api_testing import Api, Launch, Model, Serving, assert_problem, day, url_of

from movielens_api import __version__
from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.landing import calls, chart
from movielens_api.landing.chart import MAX_YEARS, ratings_per_year, shown
from movielens_api.table.catalogue import Catalogue
from movielens_api.table.ratings_table import RatingsTable

MOVIES = pl.DataFrame({"movieId": [7], "title": ["Sabrina"], "year": [1995], "genres": ["Comedy"]})


def rated(*moments: datetime) -> pl.DataFrame:
    stamps = [int(moment.timestamp()) for moment in moments]
    return pl.DataFrame(
        {"userId": range(1, len(stamps) + 1), "movieId": 7, "rating": 4.0, "timestamp": stamps},
        schema_overrides={"timestamp": pl.Int64},
    )


def in_year(year: int, month: int = 6) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


def facts(page: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))


def numbers(page: str) -> dict[int, int]:
    rows = re.findall(r'<th scope="row">(\d+)</th><td>([\d,]+)</td>', page)
    return {int(year): int(count.replace(",", "")) for year, count in rows}


def public(api: Api, method: str = "GET", **headers: str) -> requests.Response:
    return Api(api.url, auth=None).ask("/", method, **headers)


def test_everyone_sees_the_loaded_dataset(api: Api, model: Model) -> None:
    response = public(api)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert facts(response.text) == {
        "Ratings": "100,004",
        "Movies": "9,066",
        "Users": "671",
        "First day": day(model.rows[0]),
        "Last day": day(model.rows[-1]),
        "Dataset": "sample",
        "Snapshot": api.get("/ratings", limit=0).headers["snapshot"],
        "Version": __version__,
    }


def test_ratings_per_year_are_those_of_the_windows(api: Api) -> None:
    found = numbers(public(api).text)
    assert list(found) == list(range(1995, 2017))
    for year, count in found.items():
        window = api.json("/ratings", start_date=f"{year}-01-01", end_date=f"{year + 1}-01-01", limit=0)
        assert count == window["total"]


def test_the_page_is_of_the_current_ratings(serving: Serving) -> None:
    with serving(create_app(Catalogue("mine", rated(in_year(2001)), MOVIES), DEFAULT)) as api:
        before = public(api)
        later = {"movieId": 7, "rating": 4.0, "timestamp": int(in_year(2003).timestamp()), "userId": 2}
        assert api.post([later]).status_code == 201
        after = public(api, if_none_match=before.headers["etag"])
    assert numbers(before.text) == {2001: 1}
    assert after.status_code == 200
    assert numbers(after.text) == {2001: 1, 2002: 0, 2003: 1}
    assert facts(after.text)["Last day"] == "2003-06-01"
    assert facts(after.text)["Users"] == "2"


def test_304_while_the_page_is_unchanged(api: Api) -> None:
    response = public(api)
    again = public(api, if_none_match=response.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert response.headers["cache-control"] == "private, no-cache"
    assert public(api, host="localhost:81").headers["etag"] != response.headers["etag"]


def test_head_has_the_headers(api: Api) -> None:
    response, head = public(api), public(api, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**response.headers, "date": ""}


def test_without_ratings_it_says_so(serving: Serving) -> None:
    with serving(create_app(Catalogue("none", rated(), MOVIES), DEFAULT)) as api:
        page = public(api).text
    assert "There are no ratings yet" in page
    assert "start_date" not in page
    assert "<svg" not in page


@pytest.mark.parametrize("year", [1970, 9999])
def test_the_first_and_the_last_possible_year(serving: Serving, year: int) -> None:
    last = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    with serving(create_app(Catalogue("edge", rated(last), MOVIES), DEFAULT)) as api:
        page = public(api)
    assert page.status_code == 200
    assert numbers(page.text) == {year: 1}


def test_years_begin_at_midnight_utc() -> None:
    new_year = datetime(2010, 1, 1, tzinfo=UTC).timestamp()
    stamps = [int(new_year) - 1, int(new_year), int(new_year) + 1]
    ratings = pl.DataFrame({"userId": [1, 2, 3], "movieId": 7, "rating": 4.0, "timestamp": stamps})
    assert ratings_per_year(RatingsTable(ratings)) == {2009: 1, 2010: 2}


def test_a_stray_year_makes_no_chart_of_empty_ones() -> None:
    assert shown({1970: 1, 2015: 5}) == {year: {1970: 1, 2015: 5}.get(year, 0) for year in range(1970, 2016)}
    assert shown({1970: 1, 9999: 5}) == {1970: 1, 9999: 5}
    many = dict.fromkeys(range(1000, 9000, 10), 1)
    assert list(shown(many)) == list(many)[-MAX_YEARS:]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (10, [0, 5, 10]),
        (11, [0, 5, 10, 15]),
        (6593, [0, 2000, 4000, 6000, 8000]),
        (25_000_000, [0, 10_000_000, 20_000_000, 30_000_000]),
    ],
)
def test_grid_lines_are_round_and_reach_past_the_highest(highest: int, ticks: list[int]) -> None:
    assert chart.scale(highest) == ticks


@pytest.mark.parametrize(("count", "written"), [(0, "0"), (500, "500"), (2500, "2.5k"), (10**7, "10M"), (10**9, "1G")])
def test_counts_of_grid_lines_are_short(count: int, written: str) -> None:
    assert chart.short(count) == written


def policy(response: requests.Response) -> dict[str, str]:
    kinds = (part.strip().partition(" ") for part in response.headers["content-security-policy"].split(";"))
    return {kind: sources for kind, _, sources in kinds}


class Loads(HTMLParser):
    """The resources that a page loads, and those that a strict policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "src" or (name == "href" and tag == "link"):
                self.loaded.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(name)


def test_the_page_contains_all_it_needs_and_the_policy_is_strict(api: Api) -> None:
    response = public(api)
    found = Loads()
    found.feed(response.text)
    assert [each for each in found.loaded if not each.startswith("data:")] == []
    assert found.inline == []
    said = policy(response)
    assert said["default-src"] == "'none'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page_does_not_show_the_path_of_a_dataset(launch: Launch, folder: Path) -> None:
    nested = folder / "<b>ml & co"
    nested.mkdir()
    for name in ("ratings.csv", "movies.csv"):
        (folder / name).rename(nested / name)
    page = public(Api(url_of(launch("serve", "--port", "0", "--dataset", str(nested))))).text
    assert facts(page)["Dataset"] == "&lt;b&gt;ml &amp; co"
    assert str(folder) not in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>', "a\udcff", "/", "", "x" * 5000])
def test_any_name_of_a_dataset_is_text(serving: Serving, small: Catalogue, name: str) -> None:
    small.name = name
    with serving(create_app(small, DEFAULT)) as api:
        page = public(api)
    assert page.status_code == 200
    assert page.text.count("<script>") == 1
    assert "<img" not in page.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.7:8080", "[::1]:5000"])
def test_calls_use_the_address_of_the_visitor(api: Api, host: str) -> None:
    page = public(api, host=host).text
    assert page.count(f"http://{host}/ratings?start_date=") == len(calls("", None)) - 1


@pytest.mark.parametrize("host", ["$(reboot)", "a;reboot", "a'reboot'"])
def test_no_host_smuggles_anything_into_the_calls(serving: Serving, small: Catalogue, host: str) -> None:
    with serving(create_app(small, DEFAULT)) as api:
        page = public(api, host=host).text
    assert "reboot" not in page
    assert "http://localhost/ratings" in page


@pytest.mark.parametrize("host", ['x";reboot;"', "`reboot`", "a b", "<b>", "x:y", ""])
def test_a_malformed_host_gets_no_page(api: Api, host: str) -> None:
    assert_problem(public(api, host=host), 400)


def test_no_call_holds_a_password_or_a_user(api: Api) -> None:
    page = public(api).text
    assert "movielens:movielens" not in page
    assert "-u movielens" not in page


def test_errors_of_the_static_files_are_problem_documents(api: Api) -> None:
    for name in ("nothing.js", "..%2fcore.py", "redoc.standalone.js", "%00", "a/b"):
        assert_problem(Api(api.url, auth=None).get(f"/static/{name}"), 404)
    assert_problem(Api(api.url, auth=None).ask("/static/swagger-ui.css", "POST"), 405)


def test_static_files_are_cached_and_checked(api: Api) -> None:
    anyone: Any = Api(api.url, auth=None)
    response = anyone.get("/static/swagger-ui-bundle.js")
    assert response.headers["content-type"].startswith("text/javascript")
    assert "PACKAGE_VERSION" in response.text
    again = anyone.ask("/static/swagger-ui-bundle.js", if_none_match=response.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_the_documentation_loads_nothing_from_other_sites(api: Api) -> None:
    response = Api(api.url, auth=None).get("/docs")
    found = Loads()
    found.feed(response.text)
    assert sorted(found.loaded) == ["static/favicon.png", "static/swagger-ui-bundle.js", "static/swagger-ui.css"]
    assert "http" not in response.text
    assert policy(response)["default-src"] == "'none'"
    assert "unsafe" not in policy(response)["script-src"]
