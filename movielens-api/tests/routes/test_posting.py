"""POST /ratings: all or nothing, durable, idempotent, and visible to the next request."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from api_testing import Api, Launch, Serving, url_of
from auth_testing import ANN, BEN, ann_and_ben

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT, Credentials
from movielens_api.http.ingest import NewRating, RowParser, rows_of
from movielens_api.store import Store
from movielens_api.store.writer import MAX_ROWS_WAITING
from movielens_api.system.locks import FileLock
from movielens_api.table.catalogue import Catalogue

GOOD = {"movieId": 7, "rating": 4.0, "timestamp": 20, "userId": 1}
TEXT = json.dumps(GOOD)


@pytest.fixture
def server(serving: Serving, small: Catalogue) -> Iterator[Api]:
    with serving(create_app(small, DEFAULT)) as api:
        yield api


def send(server: Api, body: str | bytes, media_type: str | None = "application/json", **headers: str):
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    content = body.encode() if isinstance(body, str) else body
    return requests.post(
        server.url + "/ratings", content, headers=named | {"Content-Type": media_type}, auth=server.auth, timeout=30
    )


def refused(response: requests.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    return problem


def ratings(server: Api) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = server.json("/ratings", limit=10_000)["result"]
    return result


def numbered(*timestamps: int) -> list[dict[str, Any]]:
    return [{**GOOD, "timestamp": timestamp} for timestamp in timestamps]


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=UTF-8", "application/x-ndjson"])
def test_a_post_is_visible_to_the_next_read(server: Api, media_type: str) -> None:
    before = ratings(server)
    rows = numbered(20, 6)
    as_lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    response = send(server, as_lines if "ndjson" in media_type else json.dumps(rows), media_type)
    assert (response.status_code, response.json()) == (201, {"accepted": 2})
    assert response.headers["snapshot"] == server.ask("/ratings").headers["snapshot"]
    assert ratings(server) == sorted([*before, *rows], key=lambda row: (row["timestamp"], row["userId"]))
    assert server.json("/users")["result"] == [{"userId": 1, "num_ratings": 4}, {"userId": 2, "num_ratings": 1}]


def test_the_same_user_movie_and_second_is_replaced(server: Api) -> None:
    first = ratings(server)[0]
    server.post([{**first, "rating": 2.0}, *numbered(20), {**first, "rating": 1.5}])
    assert ratings(server)[0] == {**first, "rating": 1.5}
    assert len(ratings(server)) == 4


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_nothing_posted_is_nothing_added(server: Api, media_type: str) -> None:
    before = server.ask("/ratings").headers["snapshot"]
    response = send(server, "[]" if media_type == "application/json" else "", media_type)
    assert (response.status_code, response.json()) == (201, {"accepted": 0})
    assert server.ask("/ratings").headers["snapshot"] == before


WRONG = [
    ({"movieId": 0}, "movieId", "greater than or equal to 1"),
    ({"movieId": 2**31}, "movieId", "less than or equal to 2147483647"),
    ({"movieId": 10**30}, "movieId", "less than or equal to 2147483647"),
    ({"movieId": 7.0}, "movieId", "valid integer"),
    ({"movieId": "7"}, "movieId", "valid integer"),
    ({"movieId": None}, "movieId", "valid integer"),
    ({"userId": True}, "userId", "valid integer"),
    ({"userId": -1}, "userId", "greater than or equal to 1"),
    ({"userId": [1]}, "userId", "valid integer"),
    ({"rating": 0}, "rating", "greater than or equal to 0.5"),
    ({"rating": 5.5}, "rating", "less than or equal to 5"),
    ({"rating": 4.1}, "rating", "multiple of 0.5"),
    ({"rating": 4.0000000001}, "rating", "multiple of 0.5"),
    ({"rating": float("nan")}, "rating", ""),
    ({"rating": float("inf")}, "rating", ""),
    ({"rating": True}, "rating", "valid number"),
    ({"rating": "4"}, "rating", "valid number"),
    ({"timestamp": -1}, "timestamp", "greater than or equal to 0"),
    ({"timestamp": 253_402_300_800}, "timestamp", "less than 253402300800"),
    ({"timestamp": 1.5}, "timestamp", "valid integer"),
    ({"title": "x"}, "title", "no such column"),
]


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(("change", "column", "said"), WRONG)
def test_one_wrong_value_refuses_all(server: Api, change: dict[str, Any], column: str, said: str, media_type: str):
    rows = [json.dumps(row) for row in (GOOD, {**GOOD, **change}, GOOD)]
    body = "\n".join(rows) if "ndjson" in media_type else f"[{','.join(rows)}]"
    [error] = refused(send(server, body, media_type), 422)["errors"]
    assert (error["row"], error["column"]) == (1, column)
    assert said in error["message"]
    assert len(ratings(server)) == 3


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (TEXT.replace('"userId"', '"movieId"'), "movieId"),
        (TEXT[:-1] + ', "rating": 4.0}', "rating"),
        (TEXT[:-1] + r', "r\u0061ting": 4.0}', "rating"),
        ("7", None),
        ("[]", None),
        ("null", None),
        ('"text"', None),
        ("{}", "movieId"),
    ],
)
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_a_row_of_another_shape_refuses_all(server: Api, row: str, column: str | None, media_type: str) -> None:
    body = f"{TEXT}\n{row}" if "ndjson" in media_type else f"[{TEXT},{row}]"
    error = refused(send(server, body, media_type), 422)["errors"][0]
    assert (error["row"], error.get("column")) == (1, column)
    assert len(ratings(server)) == 3


def test_no_more_than_a_hundred_errors_are_listed(server: Api) -> None:
    problem = refused(send(server, json.dumps([1] * 5_000)), 422)
    assert [error["row"] for error in problem["errors"]] == list(range(100))


def test_many_unknown_columns_are_refused_as_well(server: Api) -> None:
    names = "".join(f', "c{number}": 0' for number in range(30_000))
    problem = refused(send(server, f"[{TEXT[:-1]}{names}}}]"), 422)
    assert len(problem["errors"]) == 100
    assert problem["errors"][0] == {"row": 0, "column": "c0", "message": "A rating has no such column"}


def test_no_more_errors_are_looked_for_than_are_listed(server: Api) -> None:
    names = "".join(f', "c{number}": 0' for number in reversed(range(30_000)))
    problem = refused(send(server, f"[{TEXT[:-1]}{names}}}]"), 422)
    assert [error["column"] for error in problem["errors"]] == [f"c{29_999 - number}" for number in range(100)]


@pytest.mark.parametrize(
    "body", ["[" + "[]," * 600_000 + "[]]", "[" + "0," * 900_000 + "0]", "[{" + '"x":0,' * 300_000 + '"x":0}]']
)
def test_a_body_with_more_values_than_ratings_can_have_is_not_decoded(server: Api, body: str) -> None:
    """Decoding it would take a third of a second, in which nothing else runs."""
    refused(send(server, body), 413)


@pytest.mark.parametrize("text", ["[" + TEXT[:-1] + ', "x": 0' * 9_000 + "}]", json.dumps([GOOD] * 1_000)])
def test_other_requests_do_not_wait_until_a_large_body_is_parsed(text: str) -> None:
    async def is_done_at_once() -> bool:
        task = asyncio.create_task(rows_of(text.encode(), "application/json", RowParser(NewRating)))
        await asyncio.sleep(0)
        done = task.done()
        await asyncio.gather(task, return_exceptions=True)
        return done

    assert not asyncio.run(is_done_at_once())


@pytest.mark.parametrize("name", [r"\ud800", r"a\udfffb", "x" * 81])
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_any_name_of_a_column_is_quoted(server: Api, name: str, media_type: str) -> None:
    row = f'{TEXT[:-1]}, "{name}": 0, "{name}": 0}}'
    problem = refused(send(server, f"[{row}]" if media_type == "application/json" else row, media_type), 422)
    expected = [(name[:80], "A rating has no such column"), (name[:80], "Given twice")]
    assert [(error["column"], error["message"]) for error in problem["errors"]] == expected


@pytest.mark.parametrize("body", ["{}", "7", "null", '"x"', TEXT])
def test_a_body_that_is_not_an_array_is_422(server: Api, body: str) -> None:
    assert "array" in str(refused(send(server, body), 422)["detail"])


@pytest.mark.parametrize("body", ["", "[", "[{]", f"[{TEXT}", f"[{TEXT},]", "NULL", b"\xff", "[" * 100_000, "[1e]"])
def test_invalid_json_is_400(server: Api, body: str | bytes) -> None:
    refused(send(server, body), 400)
    assert len(ratings(server)) == 3


@pytest.mark.parametrize("body", [f"{TEXT}\n{{", f"{TEXT}{TEXT}", f"{TEXT},{TEXT}", f"[{TEXT}"])
def test_an_invalid_line_of_json_is_400(server: Api, body: str) -> None:
    assert "row " in refused(send(server, body, "application/x-ndjson"), 400)["detail"]


@pytest.mark.parametrize("media_type", ["text/csv", "text/plain", "application/json; charset=latin-1", None])
def test_other_media_types_are_415(server: Api, media_type: str | None) -> None:
    response = send(server, f"[{TEXT}]", media_type)
    refused(response, 415)
    assert response.headers["accept-post"] == "application/json, application/x-ndjson"


def test_compressed_is_415(server: Api) -> None:
    refused(send(server, b"\x1f\x8b", content_encoding="gzip"), 415)


def test_the_largest_post_and_one_more(server: Api) -> None:
    rows = numbered(*range(1_000, 11_000))
    assert server.post(rows).json() == {"accepted": 10_000}
    assert server.json("/ratings", limit=0)["total"] == 10_003
    for media_type, body in [
        ("application/json", json.dumps([*rows, GOOD])),
        ("application/x-ndjson", "\n".join([TEXT] * 10_001)),
        ("application/json", " " * (2 << 20) + "[]"),
        ("application/json", json.dumps([1] * 100_000)),
    ]:
        refused(send(server, body, media_type), 413)
    assert server.json("/ratings", limit=0)["total"] == 10_003


def test_a_parameter_or_no_password_writes_nothing(server: Api) -> None:
    assert requests.post(server.url + "/ratings?x=1", json=[GOOD], auth=server.auth, timeout=10).status_code == 422
    assert requests.post(server.url + "/ratings", json=[GOOD], timeout=10).status_code == 401
    assert len(ratings(server)) == 3


def test_a_key_makes_a_repeated_post_one(server: Api) -> None:
    first = server.post(numbered(20), idempotency_key="one")
    server.post([{**GOOD, "rating": 1.0}])
    again = server.post(numbered(20), idempotency_key="one")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["snapshot"] == first.headers["snapshot"]
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert ratings(server)[-1]["rating"] == 1.0, "the repeated post did nothing"


def test_a_key_is_refused_for_other_content(server: Api) -> None:
    server.post(numbered(20), idempotency_key="one")
    assert "Idempotency-Key" in refused(server.post(numbered(21), idempotency_key="one"), 422)["detail"]
    assert len(ratings(server)) == 4
    assert server.post(numbered(21), idempotency_key="two").status_code == 201


def test_a_refused_post_leaves_its_key_free(server: Api) -> None:
    refused(server.post([{}], idempotency_key="one"), 422)
    assert server.post(numbered(20), idempotency_key="one").status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_a_key_is_visible_characters(server: Api, key: str) -> None:
    refused(send(server, f"[{TEXT}]", idempotency_key=key), 422)
    assert len(ratings(server)) == 3


def test_posts_at_once_with_one_key_are_one(server: Api) -> None:
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda _: Api(server.url).post(numbered(20, 21), idempotency_key="one"), range(32)))
    assert {(response.status_code, response.text, response.headers["snapshot"]) for response in responses} == {
        (201, '{"accepted":2}', responses[0].headers["snapshot"])
    }
    assert sum("idempotency-replayed" not in response.headers for response in responses) == 1
    assert len(ratings(server)) == 5


def test_many_clients_post_and_each_reads_its_own(server: Api) -> None:
    def work(user: int) -> None:
        client = Api(server.url)
        for timestamp in range(30):
            client.post([{**GOOD, "userId": user, "timestamp": timestamp}])
            users = {row["userId"]: row["num_ratings"] for row in client.json("/users", limit=100)["result"]}
            assert users[user] == timestamp + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(10, 18)))
    assert len(ratings(server)) == 3 + 8 * 30


def test_an_app_without_a_store_forgets_at_its_end(serving: Serving, small: Catalogue) -> None:
    app = create_app(small, Credentials("me", "pssst"))
    with serving(app) as server:
        assert Api(server.url, ("me", "pssst")).post([GOOD]).status_code == 201


def test_posting_needs_the_role_write(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    app = create_app(small, None, users_file=ann_and_ben(tmp_path))
    with serving(app) as server:
        assert "role write" in refused(Api(server.url, BEN).post([GOOD]), 403)["detail"]
        assert len(ratings(Api(server.url, BEN))) == 3
        assert Api(server.url, ANN).post([GOOD]).status_code == 201


def test_posted_ratings_survive_a_restart_of_the_command(launch: Launch, tmp_path: Any, folder: Any) -> None:
    options = ["--dataset", str(folder), "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = launch("serve", *options)
    Api(url_of(process)).post(numbered(20))
    process.terminate()
    assert process.wait(30) == 0
    process = launch("serve", *options)
    assert process.stdout
    process.stdout.readline()
    assert process.stdout.readline().startswith("With 1 posted ratings, kept in ")
    assert len(ratings(Api(url_of(process)))) == 4


def test_more_than_can_wait_is_503(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, serving(create_app(small, DEFAULT, store=store)) as server:
        with closing(FileLock(tmp_path / "writing.lock")) as lock, lock:  # so that posts wait
            first = store.add([(1, 7, 4.0, 20)])
            while store._writer._posts:
                time.sleep(0.01)
            waiting = store.add([(1, 7, 4.0, 21)] * MAX_ROWS_WAITING)
            response = server.post(numbered(22))
            refused(response, 503)
            assert int(response.headers["retry-after"]) > 0
        assert (first.result().rows, waiting.result().rows) == (1, MAX_ROWS_WAITING)
        assert server.post(numbered(22)).status_code == 201
