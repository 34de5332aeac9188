"""A password is hashed once, and not at all for clients that only guess."""

from __future__ import annotations

import asyncio
import string
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from api_testing import Serving
from auth_testing import ANN, BEN, CHEAP, Counted, add, add_token, ann_and_ben, ask, basic, bearer, whoami
from starlette.applications import Starlette
from starlette.routing import Mount

from movielens_api.auth import DEFAULT, Credentials
from movielens_api.auth.login_queue import WAITING, WAITING_OF_ADDRESS, WAITING_OF_USER, LoginsLimitedError
from movielens_api.auth.login_throttle import LoginThrottle
from movielens_api.auth.logins import Logins
from movielens_api.auth.passwords import hash_password
from movielens_api.auth.users_file import UsersFile
from movielens_api.middleware.authentication import LIMITED, AuthenticationMiddleware
from movielens_api.system.rate import Rate

THREE = Rate(interval=3600, burst=3)


@pytest.fixture
def file(tmp_path: Path) -> UsersFile:
    return ann_and_ben(tmp_path)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def logins(file: UsersFile, counted: Counted) -> Logins:
    return Logins(Credentials("env", "a secret of the environment"), file, LoginThrottle(THREE), counted)


def guarded(logins: Logins) -> Any:
    return AuthenticationMiddleware(whoami, logins)


def test_users_and_their_roles(serving: Serving, logins: Logins) -> None:
    with serving(guarded(logins)) as server:
        assert ask(server.url, ANN).text == "ann ['read', 'write']"
        assert ask(server.url, BEN).text == "ben ['read']"
        assert ask(server.url, ("env", "a secret of the environment")).text == "env ['read', 'write']"


def test_a_password_is_hashed_once(serving: Serving, logins: Logins, counted: Counted) -> None:
    with serving(guarded(logins)) as server:
        for _ in range(5):
            assert ask(server.url, ANN).status_code == 200
    assert len(counted.calls) == 1


def test_concurrent_requests_hash_a_password_once(serving: Serving, logins: Logins, counted: Counted) -> None:
    with serving(guarded(logins)) as server, ThreadPoolExecutor(2 * WAITING) as pool:
        responses = list(pool.map(lambda _: ask(server.url, ANN).status_code, range(2 * WAITING)))
    assert responses == [200] * len(responses)
    assert len(counted.calls) == 1


def test_failures_are_not_remembered_and_then_not_hashed(serving: Serving, logins: Logins, counted: Counted) -> None:
    with serving(guarded(logins)) as server:
        statuses = [ask(server.url, ("ann", "wrong")).status_code for _ in range(6)]
        limited = ask(server.url, ANN)
    assert statuses == [401, 401, 401, 429, 429, 429]
    assert len(counted.calls) == 3
    assert limited.status_code == 429
    assert limited.json()["detail"] == LIMITED
    assert 0 < int(limited.headers["retry-after"]) <= 3600


def test_guesses_at_the_same_time_are_limited_too(serving: Serving, logins: Logins, counted: Counted) -> None:
    with serving(guarded(logins)) as server, ThreadPoolExecutor(WAITING // 2) as pool:
        wrong = [(f"user{number}", "wrong") for number in range(WAITING // 2)]
        responses = list(pool.map(lambda auth: ask(server.url, auth).status_code, wrong))
    assert sorted(responses) == [401] * 3 + [429] * (WAITING // 2 - 3)
    assert len(counted.calls) == 3


def test_an_unknown_user_is_hashed_like_a_known_one(serving: Serving, logins: Logins, counted: Counted) -> None:
    with serving(guarded(logins)) as server:
        responses = [ask(server.url, (user, "wrong")) for user in ("ann", "nobody", "env")]
    assert len(counted.calls) == 3
    assert len({response.text for response in responses}) == 1
    fields = [stored.split("$")[1:3] for stored in (*counted.calls[1:], hash_password("as the commands do"))]
    assert fields == [fields[0]] * 3


def test_a_logged_in_user_stays_logged_in(serving: Serving, logins: Logins, file: UsersFile, counted: Counted) -> None:
    token = add_token(file, "ann")
    with serving(guarded(logins)) as server:
        assert ask(server.url, ANN).status_code == 200
        for _ in range(5):
            ask(server.url, ("ann", "wrong"))
        assert ask(server.url, ANN).status_code == 200
        assert ask(server.url, **bearer(token)).status_code == 200
        assert ask(server.url, BEN).status_code == 429  # a first login, from where others fail


def test_failures_from_other_addresses_do_not_lock_a_user_out() -> None:
    limit = LoginThrottle(THREE)
    limit.record_success(b"ann", "192.0.2.1")
    for host in range(10):
        limit.record_failure(b"ann", f"198.51.100.{host}")
    assert limit.wait(b"ann", "192.0.2.1") == 0
    assert limit.wait(b"ann", "192.0.2.2") > 0
    assert limit.wait(b"ben", "192.0.2.2") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, other: str, *, same: bool) -> None:
    limit = LoginThrottle(THREE)
    for number in range(3):
        limit.record_failure(b"user%d" % number, one)
    assert (limit.wait(b"ann", other) > 0) is same


def test_guessing_does_not_fill_the_memory() -> None:
    limit = LoginThrottle(THREE, max_remembered=100)
    for number in range(1000):
        limit.record_failure(b"%d" % number * 1000, f"10.0.{number // 256}.{number % 256}")
        limit.record_success(b"%d" % number, "10.0.0.1")
    assert len(limit._arrivals) == len(limit._known_addresses) == 100


BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def spellings(login: tuple[str, str]) -> list[str]:
    """Return the encoding of a login, then others that lenient decoders take for the same."""
    right = basic(":".join(login)).removeprefix("Basic ")
    bare = right.rstrip("=")
    padding = right.removeprefix(bare)
    # With padding, the last character has bits that belong to no byte.
    spare = range(1, 4 ** len(padding))
    changed = [bare[:-1] + BASE64[BASE64.index(bare[-1]) + extra] + padding for extra in spare]
    loose = [bare, right + "=", right + "====", f"{right[:4]} {right[4:]}", f"{right[:4]}-{right[4:]}"]
    return list(dict.fromkeys([right, *loose, *changed]))


@pytest.mark.parametrize("login", [ANN, ("ann", "correct horse "), ("ann", "correct horse  ")])
def test_a_login_has_one_spelling(serving: Serving, file: UsersFile, counted: Counted, login: tuple[str, str]) -> None:
    file.edit(lambda users: users.change("ann", password=hash_password(login[1], CHEAP)))
    logins = Logins(None, file, LoginThrottle(THREE), counted)
    with serving(guarded(logins)) as server:
        right, *wrong = spellings(login)
        for scheme in ("Basic ", "basic ", "BASIC   "):
            assert ask(server.url, Authorization=scheme + right).status_code == 200
            assert [ask(server.url, Authorization=scheme + each).status_code for each in wrong] == [401] * len(wrong)
    assert len(counted.calls) == 1
    assert len(logins._remembered) == 1


def test_a_user_stays_logged_in_while_others_change(
    serving: Serving, logins: Logins, file: UsersFile, counted: Counted
) -> None:
    with serving(guarded(logins)) as server:
        assert ask(server.url, ANN).status_code == ask(server.url, BEN).status_code == 200
        add(file, "cleo", "a third password")
        file.edit(lambda users: users.change("ben", role="write"))
        add_token(file, "ann")
        for _ in range(4):
            ask(server.url, ("cleo", "wrong"))
        # No first login passes from here now.
        assert ask(server.url, ("cleo", "a third password")).status_code == 429
        assert ask(server.url, ANN).status_code == 200
        assert ask(server.url, BEN).status_code == 429
    assert len(counted.calls) == 2 + 3


def test_failures_are_forgiven_after_a_while(serving: Serving, file: UsersFile) -> None:
    logins = Logins(None, file, LoginThrottle(Rate(interval=0.2, burst=1)))
    with serving(guarded(logins)) as server:
        assert ask(server.url, ("ann", "wrong")).status_code == 401
        while (response := ask(server.url, ANN)).status_code == 429:
            assert int(response.headers["retry-after"]) == 1
        assert response.status_code == 200


def test_only_so_many_wait_for_their_hash(serving: Serving, file: UsersFile) -> None:
    go_on = threading.Event()

    def slow(password: bytes, stored: str) -> bool:
        return not go_on.wait(20)

    logins = Logins(None, file, LoginThrottle(Rate(interval=3600, burst=1000)), slow)
    number = WAITING_OF_ADDRESS + 1
    with serving(guarded(logins)) as server, ThreadPoolExecutor(number) as pool:
        waiting = [pool.submit(ask, server.url, (f"user{each}", "wrong")) for each in range(number)]
        done, _ = wait(waiting, timeout=10, return_when=FIRST_COMPLETED)
        # The event loop is free while hashes wait and run.
        healthy = ask(server.url, path="/healthz").status_code
        go_on.set()
        assert healthy == 200
        assert [response.result().status_code for response in done] == [429]
        assert sorted(response.result().status_code for response in waiting) == [401] * WAITING_OF_ADDRESS + [429]


# An address and a user for each of many logins at once, and how many of them may wait.
CROWDS = {
    "one address": ([("192.0.2.1", f"user{number}") for number in range(50)], WAITING_OF_ADDRESS),
    "one user": ([(f"192.0.2.{number}", "ann") for number in range(50)], WAITING_OF_USER),
    "many": ([(f"192.0.2.{number}", f"user{number}") for number in range(50)], WAITING),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_few_of_each_user_and_address_wait(file: UsersFile, crowd: str) -> None:
    senders, expected = CROWDS[crowd]
    go_on = threading.Event()

    def slow(password: bytes, stored: str) -> bool:
        go_on.wait(20)
        return not password.startswith(b"wrong")

    async def run() -> tuple[int, Any]:
        logins = Logins(None, file, LoginThrottle(Rate(interval=3600, burst=1000)), slow)
        guesses = [
            asyncio.create_task(logins.identify(basic(f"{user}:wrong {number}").encode(), address))
            for number, (address, user) in enumerate(senders)
        ]
        await asyncio.sleep(0)
        other = asyncio.create_task(logins.identify(basic(":".join(BEN)).encode(), "198.51.100.1"))
        await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(*guesses, return_exceptions=True)
        limited = sum(isinstance(result, LoginsLimitedError) for result in results)
        assert results.count(None) + limited == len(senders)
        return results.count(None), (await asyncio.gather(other, return_exceptions=True))[0]

    tried, other = asyncio.run(run())
    assert tried == expected
    assert isinstance(other, LoginsLimitedError) if crowd == "many" else other.name == "ben"


def test_others_with_the_name_of_a_user_do_not_fill_the_queue_where_the_user_is_known(file: UsersFile) -> None:
    go_on = threading.Event()
    go_on.set()

    def slow(password: bytes, stored: str) -> bool:
        go_on.wait(20)
        return not password.startswith(b"wrong")

    async def run() -> Any:
        logins = Logins(None, file, LoginThrottle(Rate(interval=3600, burst=1000)), slow)
        await logins.identify(basic(":".join(ANN)).encode(), "192.0.2.1")
        file.edit(lambda users: users.change("ann", role="read"))  # so that ann logs in again
        go_on.clear()
        guesses = [
            asyncio.create_task(logins.identify(basic(f"ann:wrong {number}").encode(), f"198.51.100.{number}"))
            for number in range(WAITING_OF_USER)
        ]
        await asyncio.sleep(0)
        ann = asyncio.create_task(logins.identify(basic(":".join(ANN)).encode(), "192.0.2.1"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*guesses)
        return await ann

    assert asyncio.run(run()).roles == {"read"}


def test_changes_apply_at_once(serving: Serving, logins: Logins, file: UsersFile) -> None:
    token = add_token(file, "ann", role="write")
    with serving(guarded(logins)) as server:
        assert ask(server.url, **bearer(token)).text == "ann ['read', 'write']"
        assert ask(server.url, ANN).status_code == 200
        file.edit(lambda users: users.change("ann", role="read"))
        assert ask(server.url, ANN).text == ask(server.url, **bearer(token)).text == "ann ['read']"
        file.edit(lambda users: users.change("ann", password=hash_password("another one")))
        assert ask(server.url, ANN).status_code == 401
        assert ask(server.url, ("ann", "another one")).status_code == 200
        file.edit(lambda users: users.revoke("ann", "t"))
        assert ask(server.url, **bearer(token)).status_code == 401
        file.edit(lambda users: users.remove("ann"))
        assert ask(server.url, ("ann", "another one")).status_code == 401


def test_a_user_removed_during_the_hash_is_refused(serving: Serving, file: UsersFile) -> None:
    def verify(password: bytes, stored: str) -> bool:
        if "ann" in file.current().users:
            UsersFile(file.path.parent).edit(lambda users: users.remove("ann"))
        return password == b"correct horse"

    with serving(guarded(Logins(None, file, None, verify))) as server:
        assert ask(server.url, ANN).status_code == 401


def test_tokens_expire(serving: Serving, logins: Logins, file: UsersFile) -> None:
    now = datetime.now(UTC)
    over = add_token(file, "ann", "over", expires=now - timedelta(seconds=1))
    valid = add_token(file, "ann", "valid", expires=now + timedelta(days=1))
    with serving(guarded(logins)) as server:
        assert ask(server.url, **bearer(over)).status_code == 401
        assert ask(server.url, **bearer(valid)).text == "ann ['read']"
        assert ask(server.url, Authorization=f"BEARER  {valid} ").status_code == 200
        for wrong in (valid[:-1], valid.upper(), valid + "x", "mlapi_", ""):
            assert ask(server.url, **bearer(wrong)).status_code == 401


def test_the_default_is_no_back_door(serving: Serving, tmp_path: Path) -> None:
    file = UsersFile(tmp_path)
    with serving(guarded(Logins(DEFAULT, file))) as server:
        assert ask(server.url, ("movielens", "movielens")).status_code == 200
        add(file, *ANN)
        assert ask(server.url, ("movielens", "movielens")).status_code == 401
        assert ask(server.url, ANN).status_code == 200


def test_exactly_the_public_routes_are_public_under_a_prefix(serving: Serving, logins: Logins) -> None:
    app = Starlette(routes=[Mount("/static", guarded(logins)), Mount("/api", guarded(logins))])
    with serving(app) as server:  # type: ignore[arg-type]
        for path, status in {
            "/api/healthz": 200,
            "/api/static/x.css": 200,
            "/api/users": 401,
            "/static/users": 401,
            "/static/static": 401,
            "/api/healthz/": 401,
            "/api//static/": 401,
        }.items():
            assert requests.get(server.url + path, timeout=10).status_code == status, path


def test_nothing_shows_a_secret(logins: Logins, file: UsersFile) -> None:
    add_token(file, "ann")
    shown = repr(file.current()) + repr(logins) + repr(vars(logins)["_credentials"])
    assert "ann" in shown
    for secret in ("scrypt", "sha256", "horse", "environment'"):
        assert secret not in shown
    assert basic("ann:correct horse") not in repr(vars(logins))
