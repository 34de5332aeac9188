"""Triggers run as Airflow's triggerer runs them: many in one event loop, each until it fires, ends or is cancelled."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress


def connect(monkeypatch, base_url, conn_id="movielens", **parts):
    """Define a connection in the environment."""
    connection = {"conn_type": "movielens", "host": base_url, "login": "tester", "password": "t%st:p@ss", **parts}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


async def until(condition):
    """Let other tasks run until a condition holds; a distant deadline ends a test that would hang."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def first_event(trigger):
    """Return the payload of a trigger's first event."""
    async with asyncio.timeout(30):
        return (await anext(trigger.run())).payload


async def cancelled(task):
    """Cancel a trigger's task, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await task


class Watching:
    """An event trigger that runs in its own task, and its events."""

    def __init__(self, trigger, store=None):
        self.trigger = trigger
        if store is not None:  # before Airflow 3.3 a trigger has no such attribute
            self.trigger.asset_state_store = store
        self.events = []
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        async for event in self.trigger.run():
            self.events.append(event.payload)

    async def fired(self, number):
        await until(lambda: len(self.events) >= number or self.task.done())
        return self.events[number - 1]

    async def stop(self):
        assert not self.task.done(), "an event trigger must run for ever"
        await cancelled(self.task)


class Store:
    """Airflow's state of an asset as a trigger sees it; tests/e2e uses the real one."""

    def __init__(self):
        self.values = {}
        self.writes = 0
        self.fault = None

    async def aget(self, key):
        if self.fault:
            raise self.fault
        return self.values.get(key)

    async def aset(self, key, value):
        if self.fault:
            raise self.fault
        self.writes += 1
        self.values[key] = json.loads(json.dumps(value))
