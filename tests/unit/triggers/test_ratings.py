"""The trigger of a deferred sensor: it waits for ratings, blocks nothing, shares its requests and ends at once."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextvars import ContextVar

import pytest
from unit.counting_server import serve_counts
from unit.moments import when_called
from unit.raw_server import hangs, listen
from unit.scripted_server import Response, serve
from unit.trigger_runs import cancelled, connect, first_event, until

from airflow_movielens.connection.client_factory import client_from_connection
from airflow_movielens.triggers import MovielensRatingsTrigger, polling

DAY = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
FOUND_ONE = {"status": "found", "count": 1}


def waiting_for(min_ratings=1, conn_id="movielens", poll_interval=0.1, **changes):
    return MovielensRatingsTrigger(
        **{"conn_id": conn_id, **DAY, "min_ratings": min_ratings, "poll_interval": poll_interval} | changes
    )


@pytest.fixture
def server(monkeypatch):
    with serve_counts() as server:
        connect(monkeypatch, server.http.base_url)
        yield server


@pytest.fixture
def hanging(monkeypatch):
    """Run a server that never responds; yield its open connections."""
    open_connections = set()
    with listen(hangs(open_connections)) as port:
        connect(monkeypatch, f"http://127.0.0.1:{port}", conn_id="hanging")
        yield open_connections


def test_it_finds_the_ratings_of_the_real_api(api, monkeypatch):
    connect(monkeypatch, api.base_url, login=api.user, password=api.password)
    assert asyncio.run(first_event(waiting_for(1055))) == {"status": "found", "count": 1055}
    given_up = waiting_for(1056, deadline=time.time() + 0.5)
    assert asyncio.run(first_event(given_up)) == {"status": "timeout"}


def test_ratings_found_at_the_deadline_count(server):
    async def scenario():
        deadline = time.time() + 1
        waiting = [asyncio.create_task(first_event(waiting_for(poll_interval=60, deadline=deadline))) for _ in range(9)]
        await until(lambda: server.counted("2000-11-20"))
        server.add("2000-11-20")
        assert await asyncio.gather(*waiting) == [FOUND_ONE] * 9
        assert server.counted("2000-11-20") < 9
        assert await first_event(waiting_for(deadline=deadline)) == FOUND_ONE  # the triggerer was down at the deadline

    asyncio.run(scenario())


def test_it_waits_until_there_are_enough_ratings(server):
    async def scenario():
        waiting = asyncio.create_task(first_event(waiting_for(2)))
        server.add("2000-11-20", "2000-11-19", "2000-11-21")
        await until(lambda: server.counted("2000-11-20") >= 3)
        assert not waiting.done()
        server.add("2000-11-20")
        assert await waiting == {"status": "found", "count": 2}

    asyncio.run(scenario())


def test_an_outage_is_tolerated(server, back_offs):
    async def scenario():
        server.status = 503
        server.add("2000-11-20")
        waiting = asyncio.create_task(first_event(waiting_for()))
        await until(lambda: len(back_offs) >= 3)
        server.status = 200
        assert await waiting == FOUND_ONE

    asyncio.run(scenario())
    assert back_offs[:3] == [1, 2, 3]


def test_a_refused_connection_is_tolerated(monkeypatch, back_offs):
    connect(monkeypatch, "http://127.0.0.1:9")

    async def scenario():
        waiting = asyncio.create_task(first_event(waiting_for()))
        await until(lambda: len(back_offs) >= 2)
        with serve_counts() as server:
            server.add("2000-11-20")
            connect(monkeypatch, server.http.base_url)
            assert await waiting == FOUND_ONE

    asyncio.run(scenario())


def test_a_wrong_password_ends_the_wait_at_once_and_is_not_shown(server):
    server.status = 401
    payload = asyncio.run(first_event(waiting_for()))
    assert payload["message"].startswith("the API refuses the credentials")
    assert (payload["status"], payload["retry"]) == ("failed", False)
    assert "t%st" not in json.dumps(payload)


def test_a_missing_connection_ends_the_wait(monkeypatch):
    payload = asyncio.run(first_event(waiting_for(conn_id="nowhere")))
    assert payload["message"].startswith("The conn_id `nowhere` isn't defined: create it, or set AIRFLOW_CONN_")
    assert (payload["status"], payload["retry"]) == ("failed", False)


WRONG = [True, 1.5, "", " ", [], {"a": 1}, object(), b"x", float("nan"), 10**5_000, "9" * 5_000, "a day", -1]


@pytest.mark.parametrize("name", ["conn_id", "start_date", "end_date", "min_ratings", "poll_interval", "deadline"])
def test_an_argument_of_a_wrong_type_or_value_is_reported_in_its_event(name, server):
    for value in WRONG:
        payload = asyncio.run(first_event(waiting_for(**{"deadline": 1.0} | {name: value})))
        assert (payload["status"], payload.get("retry", False)) in (("failed", False), ("timeout", False)), value


def test_a_poll_interval_of_0_polls_as_often_as_possible(server):
    assert asyncio.run(first_event(waiting_for(poll_interval=0, deadline=1.0)))["status"] == "timeout"


def test_a_connection_that_airflow_cannot_read_is_not_reported_as_missing(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", '{"conn_type": "movielens", "password": "hunter2"')
    payload = asyncio.run(first_event(waiting_for(conn_id="shop")))
    assert payload["message"].startswith("connection 'shop': AIRFLOW_CONN_SHOP is set, but Airflow cannot read it")
    assert (payload["status"], payload["retry"]) == ("failed", False)
    assert "hunter2" not in json.dumps(payload)


@pytest.mark.parametrize(("unreadable", "status"), [(3, "found"), (4, "failed")])
def test_an_unreadable_response_is_tolerated_as_often_as_in_a_worker(monkeypatch, unreadable, status):
    def response(_path, _query, number):
        return Response(b"<html>Back soon</html>" if number < unreadable else {"result": [], "total": 1})

    with serve(response) as server:
        connect(monkeypatch, server.base_url)
        assert asyncio.run(first_event(waiting_for()))["status"] == status
        assert len(server.requests) == 4


def test_with_silent_fail_every_error_is_tolerated(server, back_offs):
    async def scenario():
        server.status = 401
        server.add("2000-11-20")
        waiting = asyncio.create_task(first_event(waiting_for(silent_fail=True)))
        await until(lambda: len(back_offs) >= 2)
        server.status = 200
        assert await waiting == FOUND_ONE

    asyncio.run(scenario())


def test_a_deadline_holds_against_a_server_that_hangs(hanging):
    async def scenario():
        trigger = waiting_for(conn_id="hanging", deadline=time.time() + 0.5)
        trigger.last_poll_seconds = 0.5
        given_up = asyncio.create_task(first_event(trigger))
        assert await given_up == {"status": "timeout"}
        await until(lambda: not hanging)

    asyncio.run(scenario())


def test_the_event_loop_is_not_blocked_while_a_server_hangs(hanging):
    async def scenario():
        waiting = asyncio.create_task(first_event(waiting_for(conn_id="hanging")))
        await until(lambda: hanging)
        # Nothing ends the request: if it blocked the loop, the test would not get here.
        for _ in range(1000):
            await asyncio.sleep(0)
        assert hanging
        await cancelled(waiting)

    asyncio.run(scenario())


def test_a_cancelled_trigger_ends_at_once(hanging):
    async def scenario():
        waiting = asyncio.create_task(first_event(waiting_for(conn_id="hanging")))
        await until(lambda: hanging)
        await cancelled(waiting)
        await until(lambda: not hanging)

    asyncio.run(scenario())
    assert not polling._polls


def test_an_api_that_hangs_does_not_slow_others(hanging, server):
    windows = [{"start_date": f"2000-11-{day}", "end_date": f"2000-11-{day + 1}"} for day in range(10, 30)]

    async def scenario():
        stuck = [asyncio.create_task(first_event(waiting_for(conn_id="hanging", **window))) for window in windows]
        await until(lambda: len(hanging) == 8)
        server.add("2000-11-20")
        assert await first_event(waiting_for()) == FOUND_ONE
        assert await asyncio.gather(*(asyncio.to_thread(threading.get_ident) for _ in range(50)))
        assert len(hanging) == 8
        for task in stuck:
            await cancelled(task)
        await until(lambda: not hanging)

    asyncio.run(scenario())


def test_sensors_of_one_window_share_requests_whatever_their_thresholds(server):
    async def scenario():
        few = [asyncio.create_task(first_event(waiting_for(1))) for _ in range(200)]
        many = asyncio.create_task(first_event(waiting_for(2)))
        await until(lambda: server.counted("2000-11-20") >= 2)
        server.add("2000-11-20")
        assert await asyncio.gather(*few) == [FOUND_ONE] * 200
        assert not many.done()
        server.add("2000-11-20")
        assert await many == {"status": "found", "count": 2}
        assert server.counted("2000-11-20") < 100

    asyncio.run(scenario())


def test_a_shared_poll_runs_outside_the_tasks_of_its_members(server):
    """Airflow sets context variables of a trigger's task, such as the target of its log lines."""
    whose, seen = ContextVar("whose", default="nobody's"), set()

    async def scenario():
        whose.set("the first member's")
        assert await first_event(waiting_for()) == FOUND_ONE

    server.add("2000-11-20")
    with when_called(polling._poll_once, lambda _: seen.add(whose.get())):
        asyncio.run(scenario())
    assert seen == {"nobody's"}


def test_clients_are_made_outside_the_event_loop(server):
    """Creating a client takes a while, because modules and certificates are loaded."""
    from airflow.sdk import BaseHook

    made_here = []
    server.add("2000-11-20")
    with when_called(client_from_connection, made_here.append):
        client_from_connection(BaseHook.get_connection("movielens")).close()
        assert len(made_here) == 1
        assert asyncio.run(first_event(waiting_for())) == FOUND_ONE
    assert len(made_here) == 1


def test_a_poll_ends_with_its_last_trigger_and_starts_again_with_the_next(server):
    async def scenario():
        first, second = (asyncio.create_task(first_event(waiting_for())) for _ in range(2))
        await until(lambda: server.counted("2000-11-20") >= 1)
        await cancelled(first)
        before = server.counted("2000-11-20")
        await until(lambda: server.counted("2000-11-20") > before)
        await cancelled(second)
        assert not polling._polls
        server.add("2000-11-20")
        assert await first_event(waiting_for()) == FOUND_ONE

    asyncio.run(scenario())


def test_a_serialized_trigger_is_recreated_and_holds_no_secret(server):
    trigger = waiting_for(3, deadline=1.5, silent_fail=True)
    path, arguments = trigger.serialize()
    again = MovielensRatingsTrigger(**json.loads(json.dumps(arguments)))
    assert path == "airflow_movielens.triggers.MovielensRatingsTrigger"
    assert again.serialize() == (path, arguments)
    assert set(arguments) == {*DAY, "conn_id", "min_ratings", "poll_interval", "deadline", "silent_fail"}


@pytest.mark.airflow("3.3")
def test_the_connection_is_read_asynchronously(server):
    """Otherwise it takes a thread, which all triggers share, for as long as a secrets backend wants."""
    assert reads_asynchronously(server)


def reads_asynchronously(server):
    from airflow.sdk import BaseHook

    reads = []
    server.add("2000-11-20")
    with when_called(BaseHook.aget_connection.__func__, reads.append):
        assert asyncio.run(first_event(waiting_for())) == FOUND_ONE
    return bool(reads)


@pytest.mark.slow
def test_before_airflow_3_3_2_the_connection_is_read_in_a_thread(server, monkeypatch):
    from airflow.sdk import Connection

    # The installed Airflow may be a later one.
    monkeypatch.delattr(Connection, "aextra_dejson", raising=False)
    assert not reads_asynchronously(server)
