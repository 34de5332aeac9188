"""Whatever goes wrong while bytes are read, as an error that names the request."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.errors import Exchange


@contextmanager
def readable_as(form: str, exchange: Exchange) -> Iterator[None]:
    """Run a block that parses an answer; what it raises because of the answer's content becomes a `BadAnswerError`.

    Args:
        form: What the answer should be, such as ``JSON``.
        exchange: Where the answer came from.
    """
    import polars as pl

    try:
        yield
    except (ValueError, OSError, RecursionError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BadAnswerError(f"the API's answer is not {form} ({_in_short(error)})", exchange) from error


def _in_short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
