"""How ratings leave an API. Knows nothing of Airflow."""

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
    # A module is imported when a name of it is asked for: a Dag file with an operator needs the errors, not the client.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
