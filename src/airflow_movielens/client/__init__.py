"""The client of a ratings API, without Airflow.

- ``client``: ``MovielensClient``.
- ``settings``: how to reach the API, what to read, and sizes.
- ``limits``: how many rows a fetch may read, and how long it may take.
- ``secret``: passwords and tokens that are not shown by accident.
- ``window``: windows of UTC days, and servers with other days.
- ``counting``: counts, also on servers that do not count.
- ``columns``: a few rows as lists of values.
- ``rows``: rows, pages, batches and bookmarks.
- ``errors``: the errors, by what the caller should do.
- ``concurrency``: requests in flight.
- ``http/``: one request and its response.
- ``parsing/``: from response bodies to checked rows.
- ``pagination/``: from pages to a window.
- ``fetch/``: from a window to a file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_movielens.client.client import MovielensClient
    from airflow_movielens.client.errors import (
        DataError,
        Exchange,
        FatalError,
        MovielensError,
        RatingsChangedError,
        RetryableError,
    )
    from airflow_movielens.client.settings import ClientSettings, build_base_url
    from airflow_movielens.client.window import Window, parse_day

__all__ = [
    "ClientSettings",
    "DataError",
    "Exchange",
    "FatalError",
    "MovielensClient",
    "MovielensError",
    "RatingsChangedError",
    "RetryableError",
    "Window",
    "build_base_url",
    "parse_day",
]

_MODULES = {
    "client": ["MovielensClient"],
    "errors": ["DataError", "Exchange", "FatalError", "MovielensError", "RatingsChangedError", "RetryableError"],
    "settings": ["ClientSettings", "build_base_url"],
    "window": ["Window", "parse_day"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Modules are imported on first use: a Dag file with an operator needs the errors, but not the client.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
