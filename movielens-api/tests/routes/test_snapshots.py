"""Paging through one snapshot while ratings are posted."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from api_testing import Api, Model, Serving
from requests import Response

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.formats import FORMATS
from movielens_api.http import cursors
from movielens_api.http.parameters import MAX_LIMIT
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue


def row(timestamp: int) -> dict[str, Any]:
    return {"userId": 1, "movieId": 7, "rating": 4.0, "timestamp": timestamp}


def times(responses: list[Response]) -> list[int]:
    return [row["timestamp"] for response in responses for row in response.json()["result"]]


def test_links_lead_through_a_window_row_by_row(api: Api, model: Model) -> None:
    window = model.window("2000-11-01", "2001-02-01")
    responses = list(api.pages("/ratings?start_date=2000-11-01&end_date=2001-02-01&offset=5&limit=997"))
    assert [row for response in responses for row in response.json()["result"]] == window[5:]
    assert len(responses) == -(-len(window[5:]) // 997)
    assert {response.headers["x-total-count"] for response in responses} == {str(len(window))}
    assert len({response.headers["snapshot"] for response in responses}) == 1
    second = responses[1].json()
    assert (second["offset"], second["limit"], second["total"]) == (1002, 997, len(window))


@pytest.mark.parametrize("query", ["limit=0", "start_date=2015-01-01&end_date=2015-01-01", "offset=100004",
                                   "offset=9223372036854775807", "offset=100003&limit=1", "offset=99904"])  # fmt: skip
def test_no_link_where_nothing_follows(api: Api, query: str) -> None:
    response = api.ask(f"/ratings?{query}")
    assert response.status_code == 200
    assert "link" not in response.headers
    assert len(response.headers["snapshot"]) == 24


def test_a_link_works_after_any_prefix_and_no_header_changes_it(api: Api) -> None:
    response = api.ask("/ratings", x_forwarded_host="evil.example", x_forwarded_proto="gopher", forwarded="host=evil")
    assert response.headers["link"].startswith("<?cursor=")
    assert response.headers["link"].endswith('>; rel="next"')


def test_an_old_snapshot_is_paged_to_its_end_whatever_is_posted(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        server.post([row(timestamp) for timestamp in (20, 30, 40)])
        pages = server.pages("/ratings?limit=2")
        responses = [next(pages)]
        # Rows land before the page, within the pages to come and after them.
        server.post([row(timestamp) for timestamp in (6, 25, 60)])
        responses += pages
        assert times(responses) == [5, 9, 9, 20, 30, 40]
        assert {response.json()["total"] for response in responses} == {6}
        assert len({response.headers["snapshot"] for response in responses}) == 1

        now = server.ask("/ratings")
        assert times([now]) == [5, 6, 9, 9, 20, 25, 30, 40, 60]
        assert now.headers["snapshot"] != responses[0].headers["snapshot"]


def test_a_cursor_outlives_a_restart_on_the_same_ratings(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        link = server.ask("/ratings?limit=1").links["next"]["url"]
    same = Catalogue("same", small.ratings.window().reverse(), small.movies)
    with Store(tmp_path, same) as store, serving(create_app(same, DEFAULT, store=store)) as server:
        assert times([server.ask("/ratings" + link)]) == [9]


def test_a_cursor_of_another_server_is_gone_although_the_ratings_are_the_same(
    serving: Serving, small: Catalogue
) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        link = server.ask("/ratings?limit=1").links["next"]["url"]
    with serving(create_app(small, DEFAULT)) as server:
        assert server.ask("/ratings" + link).status_code == 410


def test_a_cursor_outlives_a_restart_after_posts(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        server.post([row(20)])
        link = server.ask("/ratings?limit=1&offset=1").links["next"]["url"]
        server.post([row(6)])
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        assert times([server.ask("/ratings" + link)]) == [9]
        assert times([server.ask("/ratings")]) == [5, 6, 9, 9, 20]


def test_a_cursor_into_other_ratings_is_gone(serving: Serving, small: Catalogue) -> None:
    links = []
    for _ in range(2):
        with serving(create_app(small, DEFAULT)) as server:
            server.post([row(20)])
            links.append(server.ask("/ratings?limit=1").links["next"]["url"])
            for link in links[:-1]:
                response = server.ask("/ratings" + link)
                assert response.status_code == 410
                assert response.headers["content-type"] == "application/problem+json"


def test_the_same_dataset_has_the_same_name_until_something_is_posted(serving: Serving, small: Catalogue) -> None:
    names = []
    for _ in range(2):
        with serving(create_app(small, DEFAULT)) as server:
            names.append([server.ask("/ratings").headers["snapshot"]])
            posted = server.post([row(20)])
            names[-1].append(server.ask("/ratings").headers["snapshot"])
            assert posted.headers["snapshot"] == names[-1][-1]
    [[first, posted_to_one], [second, posted_to_other]] = names
    assert first == second
    assert len({first, posted_to_one, posted_to_other}) == 3


def forge(genuine: str, key: bytes, **changes: int) -> str:
    """Return another cursor into the same snapshot, signed with a key."""
    content = urlsafe_b64decode(genuine)[: cursors._LAYOUT.size]
    layout, mark, *numbers = cursors._LAYOUT.unpack(content)
    fields = dict(zip(("version", "first", "end", "offset", "limit"), numbers, strict=True)) | changes
    content = cursors._LAYOUT.pack(layout, mark, *fields.values())
    return urlsafe_b64encode(content + cursors._sign(content, key)).decode()


def test_who_has_the_ratings_cannot_forge_a_cursor(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        genuine = server.ask("/ratings?limit=1").links["next"]["url"].removeprefix("?cursor=")
        # As the key was derived once.
        derived = sha256(b"cursors of " + small.ratings.digest()).digest()
        for key in (derived, b"", bytes(32)):
            forged = forge(genuine, key, offset=0)
            assert server.ask(f"/ratings?cursor={forged}").status_code == 422


@pytest.mark.parametrize("media_type", ["application/json", *FORMATS])
@pytest.mark.parametrize(
    "changes",
    [
        {"limit": MAX_LIMIT + 1},
        {"end": 4},
        {"end": 2**64 - 1},
        {"first": 2**63, "end": 2**64 - 1},
        {"first": 2, "end": 1},
    ],
)
def test_a_cursor_never_leads_beyond_the_ratings(
    serving: Serving, small: Catalogue, tmp_path: Path, changes: dict[str, int], media_type: str
) -> None:
    # Not even with the key.
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        genuine = server.ask("/ratings?limit=1").links["next"]["url"].removeprefix("?cursor=")
        key = store.origin.key
        assert server.ask(f"/ratings?cursor={forge(genuine, key)}").status_code == 200
        forged = forge(genuine, key, **changes)
        for section in ("", "&offset=0", "&offset=0&limit=1"):
            response = server.ask(f"/ratings?cursor={forged}{section}", accept=media_type)
            assert response.status_code == 422, (section, response.text)


def test_the_key_is_random_and_only_its_owner_can_read_it(small: Catalogue, tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "other"):
        with Store(tmp_path / name, small) as store:
            keys.add(store.origin.key)
            assert store.origin.key.hex() not in repr(store.origin)
        path = tmp_path / name / "cursors.key"
        assert path.stat().st_mode & 0o777 == 0o600
        with Store(tmp_path / name, small) as again:
            assert again.origin.key in keys
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 2


@pytest.mark.parametrize("damage", [b"", b"short"])
def test_a_damaged_key_is_replaced(serving: Serving, small: Catalogue, tmp_path: Path, damage: bytes) -> None:
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        server.post([row(20)])
        link = server.ask("/ratings?limit=1").links["next"]["url"]
    (tmp_path / "cursors.key").write_bytes(damage)
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        assert server.ask("/ratings" + link).status_code == 410
        link = server.ask("/ratings?limit=1").links["next"]["url"]
        assert server.ask("/ratings" + link).status_code == 200
