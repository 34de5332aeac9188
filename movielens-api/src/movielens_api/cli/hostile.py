"""``movielens-api serve --hostile``: the requested profiles, and whether they can be combined with other options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    import argparse

    from starlette.types import ASGIApp

    from movielens_api.bootstrap import Settings
    from movielens_api.server.connection import Connection
    from movielens_api.table.catalogue import Catalogue

LIST = "list"


def explain() -> None:
    """Print all profiles."""
    from movielens_api.hostile import profiles

    for name, sentence in profiles().items():
        print(f"{name:24}{sentence}")


def names(arguments: argparse.Namespace) -> list[str]:
    """Return the requested profiles, if any.

    Raises:
        StartupError: there is no such profile, or there are several workers.
    """
    if arguments.hostile is None:
        return []
    from movielens_api.hostile import parse_names

    if arguments.workers > 1:
        raise StartupError("a hostile server counts requests in one process: omit --workers")
    return parse_names(arguments.hostile)


def warning(named: list[str]) -> str:
    """Say that a server is not to be trusted."""
    return f"Hostile mode ({', '.join(named)}): for tests of clients only. Posted ratings are not kept."


def layered(
    app: ASGIApp, named: list[str], settings: Settings, catalogue: Catalogue
) -> tuple[ASGIApp, type[Connection]]:
    """Return the application with profiles around it, if any, and how connections to it are served."""
    from movielens_api.server.connection import Connection

    if not named:
        return app, Connection
    from movielens_api.hostile import make_hostile
    from movielens_api.hostile.wire import HostileConnection

    return make_hostile(app, named, settings, catalogue), HostileConnection
