"""Idempotency keys: how many are kept, for how long, and that their space returns."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from api_testing import Api, Serving, assert_problem
from auth_testing import ANN, add, ann_and_ben

from movielens_api.app import create_app
from movielens_api.store import Store
from movielens_api.store.idempotency import MAX_KEYS, IdempotencyKey, KeyReusedError, PostResult
from movielens_api.system.days import SECONDS_PER_DAY
from movielens_api.table.catalogue import Catalogue

ROW = (1, 7, 4.0, 20)
GOOD = {"movieId": 7, "rating": 4.0, "timestamp": 20, "userId": 1}
A_MEGABYTE = 1_000_000


def key(name: str, fingerprint: bytes = b"f") -> IdempotencyKey:
    return IdempotencyKey("ann", name, fingerprint)


def keep_keys(folder: Path, number: int, answered: float, user: str = "ann") -> None:
    """Write keys into the database, as posts would."""
    rows = ((user, f"{place:0200}", b"f" * 32, 1, 1, int(answered)) for place in range(number))
    with closing(sqlite3.connect(folder / "ratings.db")) as connection, connection:
        connection.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows)


def number_of_keys(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "ratings.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("ratings.db*"))


def test_a_post_without_ratings_keeps_no_key(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store:
        for number in range(20):
            assert store.add([], key(f"key-{number}")).result() == PostResult(0, 0)
        assert number_of_keys(tmp_path) == 0
        assert store.add([ROW], key("key-0")).result() == PostResult(1, 1)
        assert number_of_keys(tmp_path) == 1
        with pytest.raises(KeyReusedError):
            store.add([], key("key-0", b"other")).result()


def test_a_user_has_a_limited_number_of_keys(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    users = ann_and_ben(tmp_path)
    add(users, "carl", "long enough", role="write")
    with (
        Store(tmp_path / "store", small) as store,
        serving(create_app(small, None, store=store, users_file=users)) as server,
    ):
        keep_keys(tmp_path / "store", MAX_KEYS - 1, time.time())
        ann, carl = Api(server.url, ANN), Api(server.url, ("carl", "long enough"))
        assert ann.post([GOOD], idempotency_key="last").status_code == 201
        response = ann.post([GOOD], idempotency_key="one-more")
        assert "100,000 Idempotency-Keys within a day" in str(assert_problem(response, 429)["detail"])
        assert int(response.headers["retry-after"]) > 0
        assert ann.post([GOOD], idempotency_key="last").headers["idempotency-replayed"] == "true"
        assert ann.post([GOOD]).status_code == 201
        assert carl.post([GOOD], idempotency_key="first").status_code == 201
        assert store.latest.version == 3


def test_expired_keys_leave_room(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store:
        keep_keys(tmp_path, MAX_KEYS, time.time() - SECONDS_PER_DAY - 1)
        assert store.add([ROW], key("new")).result() == PostResult(1, 1)


def by_a_post(folder: Path, catalogue: Catalogue) -> None:
    with Store(folder, catalogue) as store:
        keep_keys(folder, 20_000, time.time() - SECONDS_PER_DAY - 1)
        assert size(folder) > 5 * A_MEGABYTE
        assert asyncio.run(store.post([ROW])) == PostResult(1, 1)
        assert number_of_keys(folder) == 0


def by_a_start(folder: Path, catalogue: Catalogue) -> None:
    Store(folder, catalogue).close()
    keep_keys(folder, 20_000, time.time() - SECONDS_PER_DAY - 1)
    Store(folder, catalogue).close()


def by_a_start_with_an_older_file(folder: Path, catalogue: Catalogue) -> None:
    Store(folder, catalogue).close()
    keep_keys(folder, 20_000, time.time())
    with closing(sqlite3.connect(folder / "ratings.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        connection.execute("DELETE FROM answers WHERE key > '0'")
    assert size(folder) > 5 * A_MEGABYTE
    Store(folder, catalogue).close()


@pytest.mark.parametrize("way", [by_a_post, by_a_start, by_a_start_with_an_older_file])
def test_the_space_of_expired_keys_returns(
    small: Catalogue, tmp_path: Path, way: Callable[[Path, Catalogue], None]
) -> None:
    way(tmp_path, small)
    assert number_of_keys(tmp_path) == 0
    assert size(tmp_path) < A_MEGABYTE


def test_keys_of_a_day_are_kept_at_a_start(small: Catalogue, tmp_path: Path) -> None:
    Store(tmp_path, small).close()
    keep_keys(tmp_path, 3, time.time() - SECONDS_PER_DAY + 60)
    Store(tmp_path, small).close()
    assert number_of_keys(tmp_path) == 3


@pytest.mark.parametrize("days", [-10_000, -3, 3, 10_000])
def test_keys_survive_that_the_clock_of_the_computer_is_set(small: Catalogue, tmp_path: Path, days: int) -> None:
    """Instead of the computer's, the times in the store are set, which makes the same difference."""
    with Store(tmp_path, small) as store:
        assert store.add([ROW], key("a")).result() == PostResult(1, 1)
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection, connection:
            connection.execute("UPDATE clock SET started = started - ?", (days * SECONDS_PER_DAY,))
            connection.execute("UPDATE answers SET answered = answered - ?", (days * SECONDS_PER_DAY,))
        assert store.add([ROW], key("a")).result() == PostResult(1, 1, is_replayed=True)
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection, connection:
            connection.execute("UPDATE answers SET answered = answered - ?", (SECONDS_PER_DAY + 1,))
        assert store.add([ROW], key("b")).result() == PostResult(1, 2)
        assert number_of_keys(tmp_path) == 1


def test_processes_share_a_clock(small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small):
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection, connection:
            connection.execute("UPDATE clock SET started = started - ?", (10 * SECONDS_PER_DAY,))
        with Store(tmp_path, small, own=False) as worker:
            assert worker.add([ROW], key("a")).result() == PostResult(1, 1)
        with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
            [answered] = connection.execute("SELECT answered FROM answers").fetchone()
    assert 9 * SECONDS_PER_DAY < time.time() - answered < 11 * SECONDS_PER_DAY


def test_keys_from_the_future_are_kept_for_a_day_after_a_start(small: Catalogue, tmp_path: Path) -> None:
    Store(tmp_path, small).close()
    keep_keys(tmp_path, 3, time.time() + 365 * SECONDS_PER_DAY)
    Store(tmp_path, small).close()
    with closing(sqlite3.connect(tmp_path / "ratings.db")) as connection:
        assert connection.execute("SELECT count(*), max(answered) > ? FROM answers", (time.time(),)).fetchone() == (
            3,
            0,
        )
