"""Calls of the API from the triggerer, whose event loop runs all triggers and must never be blocked."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from airflow_movielens.client import RetryableError
from airflow_movielens.connection.client import aclient_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client import MovielensClient

THREADS = 8
"""How many requests for one connection may be in flight at once."""
SHORTEST_INTERVAL = 0.1
LONGEST_RETRY_AFTER = 3600.0

_T = TypeVar("_T")


async def call_api(conn_id: str, function: Callable[[MovielensClient], _T]) -> _T:
    """Call a function with the client of a connection, once: a poll needs no retries.

    Cancelling cuts the request in flight at once. The connection is read again for each call, so that a corrected
    connection is used.

    Args:
        conn_id: The Airflow connection of the API.
        function: Called in a thread, with a client that is closed afterwards.

    Raises:
        MovielensError: The function raised it.
        AirflowNotFoundException: The connection does not exist.
    """
    client = await aclient_of(conn_id)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(conn_id), function, client)
    finally:
        client.close()


@cache
def _threads(conn_id: str) -> ThreadPoolExecutor:
    """Return the threads of a connection: a hanging API blocks neither the triggerer nor another API."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"movielens-{conn_id}")


def pause(interval: float, failures: int = 0, error: Exception | None = None) -> float:
    """Return the seconds to wait before the next poll, with jitter.

    Args:
        interval: Seconds between two successful polls.
        failures: How many polls in a row have failed.
        error: The last failure.
    """
    from airflow_movielens.client.http.retries import back_off

    waits = [interval, SHORTEST_INTERVAL]
    if failures:
        waits.append(back_off(failures))
    if isinstance(error, RetryableError) and error.retry_after is not None:
        waits.append(min(error.retry_after, LONGEST_RETRY_AFTER))
    return max(waits) * random.uniform(1, 1.1)  # noqa: S311 -- no secret
