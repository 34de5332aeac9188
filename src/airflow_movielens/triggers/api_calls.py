"""Asking an API from the triggerer, whose event loop carries every trigger there is and must never be blocked."""

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
"""How many requests for one connection may be under way at once."""
SHORTEST_INTERVAL = 0.1
LONGEST_RETRY_AFTER = 3600.0

_T = TypeVar("_T")


async def ask(conn_id: str, question: Callable[[MovielensClient], _T]) -> _T:
    """Put a question to the API of a connection, once: who asks again and again needs no retries.

    When this is cancelled, what is under way is cut off at once. The connection is read anew each time, so that one
    that was mended is used.

    Args:
        conn_id: The Airflow connection of the API.
        question: Called in a thread, with a client that is closed afterwards.

    Raises:
        MovielensError: What the question raises.
        AirflowNotFoundException: There is no such connection.
    """
    client = await aclient_of(conn_id)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(conn_id), question, client)
    finally:
        client.close()


@cache
def _threads(conn_id: str) -> ThreadPoolExecutor:
    """Threads of a connection's own: an API that hangs keeps neither the triggerer's nor another API's."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"movielens-{conn_id}")


def pause(interval: float, failures: int = 0, error: Exception | None = None) -> float:
    """Seconds to wait before asking again, with jitter.

    Args:
        interval: Seconds between two questions when all is well.
        failures: How many questions in a row have failed.
        error: The last failure.
    """
    from airflow_movielens.client.http.retries import back_off

    waits = [interval, SHORTEST_INTERVAL]
    if failures:
        waits.append(back_off(failures))
    if isinstance(error, RetryableError) and error.retry_after is not None:
        waits.append(min(error.retry_after, LONGEST_RETRY_AFTER))
    return max(waits) * random.uniform(1, 1.1)  # noqa: S311 -- no secret
