"""The trigger for new and late ratings: reports each at least once, whatever happens, and never ends by itself."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.counting_server import serve_counts
from unit.raw_server import hangs, listen
from unit.trigger_runs import Store, Watching, connect, until

from airflow_movielens.client import FatalError, RetryableError
from airflow_movielens.triggers import MovielensNewRatingsTrigger
from airflow_movielens.triggers.new_ratings import Counts
from airflow_movielens.triggers.polling import MAX_RETRY_AFTER, pause

KEY = "movielens_counts:movielens"


def day(ago):
    return str(datetime.now(UTC).date() - timedelta(days=ago))


def watching(store=None, stored_after=0, **arguments):
    trigger = MovielensNewRatingsTrigger("movielens", **{"poll_interval": 0.1} | arguments)
    trigger.stored_after = stored_after
    return Watching(trigger, store)


@pytest.fixture
def server(monkeypatch):
    with serve_counts() as server:
        connect(monkeypatch, server.http.base_url)
        yield server


def test_new_and_late_ratings_are_reported_by_their_days(server):
    async def scenario():
        watcher = watching(Store())
        await until(lambda: server.counted() >= 2)
        assert watcher.events == []
        server.add(day(0), day(0), day(6))
        assert await watcher.fired(1) == {"days": [day(6), day(0)], "other_days": False, "total": 3}
        server.add(day(7))
        assert await watcher.fired(2) == {"days": [], "other_days": True, "total": 4}
        server.add(day(3), day(-1), "1996-03-29")
        assert await watcher.fired(3) == {"days": [day(3)], "other_days": True, "total": 7}
        await watcher.stop()

    asyncio.run(scenario())


def test_all_ratings_at_the_first_poll_are_new(server):
    async def scenario():
        server.add("2000-11-20", day(1))
        watcher = watching(Store())
        assert await watcher.fired(1) == {"days": [day(1)], "other_days": True, "total": 2}
        await watcher.stop()

    asyncio.run(scenario())


def test_without_changes_a_poll_is_one_request_and_nothing_is_saved(server):
    async def scenario():
        server.add(day(0))
        store = Store()
        watcher = watching(store, lookback_days=3)
        await watcher.fired(1)
        before = len(server.http.requests)
        await until(lambda: len(server.http.requests) >= before + 3)
        assert {tuple(query) for _, query, _ in server.http.requests[before:]} == {("offset", "limit")}
        assert len(watcher.events) == 1
        await watcher.stop()
        assert store.writes == 1
        assert before == 6  # the total, three days, all earlier days and all later days

    asyncio.run(scenario())


def test_after_a_restart_only_changes_are_reported(server):
    async def scenario():
        store = Store()
        server.add("2000-11-20", day(1))
        watcher = watching(store)
        await watcher.fired(1)
        await until(lambda: KEY in store.values)
        await watcher.stop()
        server.add(day(2))
        watcher = watching(store)
        assert await watcher.fired(1) == {"days": [day(2)], "other_days": False, "total": 3}
        await watcher.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(("poll_interval", "stored_after"), [(3600, 0), (0.1, 3600)])
def test_reported_counts_are_saved_a_poll_later_so_a_crash_reports_them_twice(server, poll_interval, stored_after):
    async def scenario():
        store = Store()
        server.add(day(1))
        reported = []
        for _ in range(2):
            watcher = watching(store, stored_after, poll_interval=poll_interval)
            reported.append(await watcher.fired(1))
            await asyncio.sleep(0.3)  # enough for two more polls at the shorter interval
            await watcher.stop()
        assert store.values == {}
        assert reported[0] == reported[1]

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [401, 404, 503])
def test_errors_are_tolerated_with_back_off(server, back_offs, caplog, status):
    async def scenario():
        server.status = status
        server.add(day(0))
        watcher = watching(Store())
        await until(lambda: len(back_offs) >= 3)
        assert back_offs[:3] == [1, 2, 3]
        server.status = 200
        await watcher.fired(1)
        server.status = status
        await until(lambda: back_offs[-1] < back_offs[-2])
        await watcher.stop()

    asyncio.run(scenario())
    assert back_offs.count(1) == 2


def test_a_missing_connection_is_tolerated(monkeypatch, server, back_offs):
    monkeypatch.delenv("AIRFLOW_CONN_MOVIELENS")

    async def scenario():
        watcher = watching(Store())
        await until(lambda: len(back_offs) >= 2)
        connect(monkeypatch, server.http.base_url)
        server.add(day(0))
        await watcher.fired(1)
        await watcher.stop()

    asyncio.run(scenario())


def test_a_watcher_of_an_api_that_hangs_blocks_nothing_and_can_be_cancelled(monkeypatch):
    open_connections = set()

    async def scenario():
        watcher = watching(Store())
        await until(lambda: open_connections)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert open_connections
        await watcher.stop()
        await until(lambda: not open_connections)

    with listen(hangs(open_connections)) as port:
        connect(monkeypatch, f"http://127.0.0.1:{port}")
        asyncio.run(scenario())


def test_before_airflow_3_3_the_counts_are_kept_in_memory_and_the_log_says_so(server, caplog):
    async def scenario():
        server.add(day(0))
        watcher = watching(None)
        await watcher.fired(1)
        server.add(day(1))
        assert await watcher.fired(2) == {"days": [day(1)], "other_days": False, "total": 2}
        await watcher.stop()

    asyncio.run(scenario())
    assert caplog.text.count("Airflow keeps no state for this watcher") == 1


def test_a_store_that_fails_loses_nothing(server, back_offs):
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    async def scenario():
        store = Store()
        store.fault = AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))
        server.add(day(0))
        watcher = watching(store)
        await until(lambda: len(back_offs) >= 2)
        assert watcher.events == []  # the earlier reports are unknown
        fault, store.fault = store.fault, None
        await watcher.fired(1)
        store.fault = fault
        server.add(day(1))
        assert (await watcher.fired(2))["days"] == [day(1)]
        server.add(day(2))
        assert (await watcher.fired(3))["days"] == [day(2)]
        store.fault = None
        await until(lambda: store.values.get(KEY, {}).get("days", {}).get(day(2)) == 1)
        await watcher.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "broken", [{"days": 3}, {"later": 1}, [], "nonsense", {"days": {"x": "y"}, "earlier": 0, "later": 0}]
)
def test_after_an_unreadable_state_all_ratings_are_new(server, caplog, broken):
    async def scenario():
        store = Store()
        store.values[KEY] = broken
        server.add(day(0))
        watcher = watching(store)
        assert (await watcher.fired(1))["days"] == [day(0)]
        await watcher.stop()

    asyncio.run(scenario())
    assert "The counts reported before are unknown" in caplog.text


@pytest.mark.airflow("3.3")
def test_a_trigger_of_two_assets_has_no_state(server, caplog):
    """Airflow 3.3 gives a trigger of several assets a store that does not know whose state to return."""
    from airflow.sdk import Asset
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    async def scenario():
        server.add(day(0))
        watcher = watching(AssetStateStoreAccessors(inlets=[Asset("one"), Asset("two")]))
        await watcher.fired(1)
        server.add(day(1))
        await watcher.fired(2)
        await watcher.stop()

    asyncio.run(scenario())
    assert "The counts reported before are unknown" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"poll_interval": 0}, "poll_interval is 0: give a number above 0"),
        ({"lookback_days": 0}, "lookback_days is 0: give a whole number of at least 1"),
        ({"conn_id": None}, "conn_id is None: give the id of an Airflow connection"),
        ({"lookback_days": 367}, "lookback_days is 367: give at most 366"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(FatalError, match=message):
        MovielensNewRatingsTrigger(**arguments)


def test_a_serialized_trigger_is_recreated_and_holds_no_secret():
    path, arguments = MovielensNewRatingsTrigger("movielens", 30, 14).serialize()
    again = MovielensNewRatingsTrigger(**json.loads(json.dumps(arguments)))
    assert path == "airflow_movielens.triggers.MovielensNewRatingsTrigger"
    assert again.serialize() == (path, arguments)
    assert arguments == {"conn_id": "movielens", "poll_interval": 30.0, "lookback_days": 14}


def test_a_pause_is_never_shorter_than_requested_and_never_endless(monkeypatch):
    monkeypatch.undo()
    assert 60 <= pause(60) <= 66
    assert pause(0) >= 0.1
    assert [1 <= pause(0, 1) <= 2.2, 60 <= pause(0, 50) <= 67.1, pause(3600, 50) >= 3600] == [True] * 3
    assert pause(1, 1, RetryableError("busy", retry_after=120)) >= 120
    assert pause(1, 1, RetryableError("busy", retry_after=1e9)) <= 1.1 * MAX_RETRY_AFTER
    assert len({pause(60) for _ in range(10)}) > 1


MONDAY = date(2026, 11, 23)
BATCHES = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(-12, 12), max_size=4)), max_size=12)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(BATCHES, st.integers(1, 5))
def test_every_rating_is_reported_as_the_days_pass(batches, lookback):
    """Days pass, ratings arrive for any days, the trigger polls: every arrival is among the reported days."""
    today, reported, ratings = MONDAY, Counts(), []
    for days_later, ages in batches:
        today += timedelta(days=days_later)
        came = [str(today - timedelta(days=age)) for age in ages]
        ratings += came
        days = [str(today - timedelta(days=ago)) for ago in range(lookback)]
        counts = {day: ratings.count(day) for day in days}
        others = [day for day in ratings if day not in days]
        earlier = len([day for day in others if day < str(today)])
        seen = Counts(counts, earlier, len(others) - earlier)
        changed, have_other_days_changed = seen.changed_days(reported), seen.have_other_days_changed(reported)
        assert {day for day in came if day in days} <= set(changed)
        assert have_other_days_changed or not set(came) - set(days)
        if not came and not seen.later and not reported.later:
            assert (changed, have_other_days_changed) == ([], False)
        if not reported.later:
            assert have_other_days_changed == bool(set(came) - set(days))
        reported = Counts.from_json(json.loads(json.dumps(seen.to_json())))
        assert reported == seen
