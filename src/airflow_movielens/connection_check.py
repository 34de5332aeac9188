"""What the *Test* button of a connection says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client import DataError, FatalError, MovielensError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client import MovielensClient


def check(connect: Callable[[], MovielensClient]) -> tuple[bool, str]:
    """Say in a sentence whether an API answers and accepts the credentials.

    Args:
        connect: Makes the client, which should not retry: somebody waits for the answer.
    """
    try:
        with connect() as client:
            return True, f"Connected to {client.settings.base_url}: {_what_it_holds(client)}."
    except MovielensError as error:
        return False, _sentence(error)


def _what_it_holds(client: MovielensClient) -> str:
    # What it sends may be no ratings, although it counts them: the first page shows that.
    some = next(client.get_rating_frames(), None)
    try:
        return f"it holds {client.count_ratings():,} ratings"
    except DataError:
        return "it does not say how many ratings it holds" if some is not None else "it holds no ratings"


def _sentence(error: MovielensError) -> str:
    # Not the error that names the connection: Airflow tests it under a name of its own making.
    cause = error.__cause__ if isinstance(error.__cause__, FatalError) else error
    # What the server sent may have several lines.
    words = " ".join(str(cause).split())
    if isinstance(error, DataError):
        return f"Something answers at this host and port, but not as a ratings API does: {words}"
    if isinstance(error, RetryableError) and error.exchange and error.exchange.status is None:
        return f"No ratings API is reached with this host, port and schema (http or https): {words}"
    return words
