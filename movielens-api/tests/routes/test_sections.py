"""Any rows of a snapshot's window, in any order, at once, by the template in `Link-Template`."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import polars as pl
import pytest
from api_testing import Api, Launch, Model, Serving, drained
from requests import Response

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.datasets import synthetic
from movielens_api.formats import FORMATS, ROWS_PER_CHUNK
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue
from movielens_api.table.snapshots import Snapshot

NDJSON, CSV, ARROW, PARQUET = FORMATS
READ = {NDJSON: pl.read_ndjson, CSV: pl.read_csv, ARROW: pl.read_ipc_stream, PARQUET: pl.read_parquet}
TEMPLATE = re.compile(r'"(\?cursor=[\w-]{88})\{&offset,limit\}"; rel="section"')
COLUMNS = ["userId", "movieId", "rating", "timestamp"]
Rows = list[dict[str, Any]]


def row(timestamp: int) -> dict[str, Any]:
    return {"userId": 1, "movieId": 7, "rating": 4.0, "timestamp": timestamp}


def template(response: Response) -> str:
    """Return the URL before `&offset=…`."""
    found = TEMPLATE.fullmatch(response.headers["link-template"])
    assert found, response.headers["link-template"]
    return urljoin("/ratings", found[1])


def rows(response: Response) -> Rows:
    assert response.status_code == 200, response.text
    found: Rows = response.json()["result"]
    return found


def records(response: Response, media_type: str) -> Rows:
    assert response.status_code == 200, response.text
    return READ[media_type](BytesIO(response.content)).to_dicts()  # type: ignore[operator]


@pytest.mark.parametrize("query", ["", "limit=7&offset=3", "start_date=2015-01-01&end_date=2015-02-01&limit=1"])
def test_link_and_template_have_the_same_cursor(api: Api, query: str) -> None:
    response = api.ask(f"/ratings?{query}")
    assert template(response).removeprefix("/ratings") == response.links["next"]["url"]
    assert len(response.links) == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "offset=100004", "offset=99904", "start_date=2015-01-01&end_date=2015-01-01"]
)
def test_no_template_where_nothing_follows(api: Api, query: str) -> None:
    response = api.ask(f"/ratings?{query}")
    assert response.status_code == 200
    assert "link-template" not in response.headers


@pytest.mark.parametrize(
    ("offset", "limit"), [(0, 10), (0, 0), (5, 10_000), (4_000, 9), (10**6, 1), (2**63 - 1, 10_000)]
)
def test_a_section_is_these_rows_of_the_window(api: Api, model: Model, offset: int, limit: int) -> None:
    window = model.window("2000-11-01", "2001-02-01")
    # The cursor is of a page in the middle: offsets count from the window's start all the same.
    start = template(api.ask("/ratings?start_date=2000-11-01&end_date=2001-02-01&offset=50&limit=7"))
    response = api.ask(f"{start}&offset={offset}&limit={limit}")
    assert rows(response) == window[offset : offset + limit]
    assert {name: response.json()[name] for name in ("offset", "limit", "total")} == {
        "offset": offset, "limit": limit, "total": len(window)
    }  # fmt: skip
    assert ("link-template" in response.headers) == ("link" in response.headers) == (0 < limit < len(window) - offset)


def test_omitted_parameters_are_those_of_the_cursor(api: Api, model: Model) -> None:
    start = template(api.ask("/ratings?offset=50&limit=7"))
    assert rows(api.ask(start)) == model.rows[57:64]
    assert rows(api.ask(f"{start}&offset=1000")) == model.rows[1000:1007]
    assert rows(api.ask(f"{start}&limit=3")) == model.rows[57:60]


@pytest.mark.parametrize("media_type", FORMATS)
def test_other_formats_without_limit_are_the_rest(api: Api, model: Model, media_type: str) -> None:
    window = model.window("2015-03-01", None)
    start = template(api.ask("/ratings?start_date=2015-03-01&limit=7"))
    whole = api.ask(f"{start}&offset=123", accept=media_type)
    assert records(whole, media_type) == [{name: each[name] for name in COLUMNS} for each in window[123:]]
    assert whole.headers["x-total-count"] == str(len(window))
    assert "link" not in whole.headers
    # With a limit, or with the cursor alone, they come in pages.
    assert len(records(api.ask(f"{start}&offset=123&limit=4", accept=media_type), media_type)) == 4
    assert len(records(api.ask(f"{start}&limit=4", accept=media_type), media_type)) == 4
    assert len(records(api.ask(start, accept=media_type), media_type)) == 7


@pytest.mark.parametrize("media_type", ["application/json", ARROW])
def test_the_tag_is_of_the_rows_whichever_way_they_were_asked_for(api: Api, media_type: str) -> None:
    start = template(api.ask("/ratings?limit=7"))
    by_window = api.ask("/ratings?offset=20&limit=30", accept=media_type)
    section = api.ask(f"{start}&offset=20&limit=30", accept=media_type)
    assert section.headers["etag"] == by_window.headers["etag"]
    assert section.content == by_window.content
    for other in ("&offset=21&limit=30", "&offset=20&limit=31", "&offset=20", ""):
        assert api.ask(start + other, accept=media_type).headers["etag"] != section.headers["etag"]
    again = api.ask(f"{start}&offset=20&limit=30", accept=media_type, if_none_match=section.headers["etag"])
    assert again.status_code == 304
    assert template(again) == template(section)
    assert "etag" in api.ask(f"{start}&offset=20", "HEAD", accept=media_type).headers


@pytest.fixture(scope="module")
def posted(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A server with two workers that a test may post to."""
    data = str(tmp_path_factory.mktemp("data"))
    return Api(drained(launch("serve", "--port", "0", "--workers", "2", "--data-dir", data)))


def test_sections_at_once_are_one_state_while_others_post(posted: Api, model: Model) -> None:
    first = posted.ask("/ratings?start_date=2000-11-01&end_date=2001-02-01&limit=100")
    start, window = template(first), model.window("2000-11-01", "2001-02-01")
    within = window[0]["timestamp"]

    def section(offset: int) -> Response:
        # A connection each, so that either worker responds; and each post shifts all rows of a plain offset.
        Api(posted.url).post([row(within + offset)])
        return Api(posted.url).ask(f"{start}&offset={offset}&limit=97")

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(section, range(100, len(window), 97)))
    assert rows(first) + [each for response in responses for each in rows(response)] == window
    assert {response.headers["snapshot"] for response in responses} == {first.headers["snapshot"]}
    now = posted.json("/ratings", start_date="2000-11-01", end_date="2001-02-01")
    assert now["total"] == len(window) + len(responses)


def test_a_template_outlives_a_restart_after_posts(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        server.post([row(20)])
        start = template(server.ask("/ratings?limit=1"))
        server.post([row(6)])
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        lines = server.ask(f"{start}&offset=1", accept=NDJSON).text.splitlines()
        assert [json.loads(line)["timestamp"] for line in lines] == [9, 9, 20]


def test_a_section_of_an_expired_snapshot_is_410(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        server.post([row(20)])
        start = template(server.ask("/ratings?limit=1"))
    with serving(create_app(small, DEFAULT)) as server:
        server.post([row(20)])
        assert server.ask(f"{start}&offset=0&limit=1").status_code == 410


class RecordingStore(Store):
    """A store that records the versions of its leases."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.leased: list[int] = []

    def lease(self, snapshot: Snapshot) -> None:
        super().lease(snapshot)
        self.leased.append(snapshot.version)


def test_every_section_renews_the_lease_of_its_snapshot(serving: Serving, small: Catalogue) -> None:
    with RecordingStore.temporary(small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        start = template(server.ask("/ratings?limit=1"))
        for part in ("&offset=0&limit=1", "&offset=2&limit=1", "&offset=99&limit=1", "&offset=0", "&limit=10"):
            for accept in ("application/json", ARROW):
                store.leased.clear()
                assert server.ask(start + part, accept=accept).status_code == 200
                assert store.leased, (part, accept)


def test_a_streamed_section_renews_the_lease_of_its_snapshot_as_long_as_it_lasts(serving: Serving) -> None:
    catalogue = synthetic.load(ROWS_PER_CHUNK + 1, seed=1)
    with RecordingStore.temporary(catalogue) as store, serving(create_app(catalogue, DEFAULT, store=store)) as server:
        start = template(server.ask("/ratings?limit=1"))
        store.leased.clear()
        assert len(server.ask(f"{start}&offset=0", accept=CSV).text.splitlines()) == 1 + len(catalogue.ratings)
        # Once at the start, then with the header line and both chunks.
        assert len(store.leased) == 1 + 1 + 2
        store.leased.clear()
        assert len(server.ask("/ratings", accept=CSV).text.splitlines()) == 1 + len(catalogue.ratings)
        assert not store.leased
