"""``movielens-api serve``: loads a dataset and serves it until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from movielens_api.cli.arguments import add_serve_options
from movielens_api.errors import StartupError
from movielens_api.system.signals import hangup

if TYPE_CHECKING:
    import argparse
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from movielens_api.bootstrap import Settings
    from movielens_api.cli.arguments import Parser
    from movielens_api.server.connection import Connection
    from movielens_api.store import Store
    from movielens_api.table.catalogue import Catalogue

_SECONDS_SILENT = 1.0
_SECONDS_BETWEEN_LINES = 10.0
DESCRIPTION = "Start the server. It runs until Ctrl+C or SIGTERM."
_LIST_PROFILES = "list"


def add_to(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the subcommand to the parser of ``movielens-api``."""
    parser = commands.add_parser("serve", help="start the server", description=DESCRIPTION)
    parser.set_defaults(run=run)
    add_serve_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run the server until it is stopped, or explain the hostile profiles.

    Raises:
        StartupError: The server cannot start with these settings or this dataset.
    """
    # For the time before the server installs its own handlers.
    for number in (signal.SIGTERM, *hangup()):
        signal.signal(number, _stop)
    # Imported here, so that --help and --version do not wait for FastAPI and polars.
    from movielens_api import bootstrap, hostile, replay, server
    from movielens_api.observability import server_log
    from movielens_api.server import hangs

    if arguments.hostile == _LIST_PROFILES:
        for name, description in hostile.profiles().items():
            print(f"{name:24}{description}")
        return
    profiles = _profiles(arguments)
    if arguments.replay_from and not arguments.replay:
        raise StartupError("--replay-from sets the start of a replay: pass --replay, too")
    server_log.configure()
    hangs.show_on_signal()
    settings = _settings(arguments)
    tls = bootstrap.tls_context(settings)
    # Bound before the dataset is loaded, so that an address in use is reported at once.
    with server.bind(arguments.host, arguments.port) as bound:
        with progress(f"loading {settings.dataset}"):
            everything = bootstrap.load(settings)
        if arguments.replay:
            first_day = arguments.replay_from or replay.default_first_day(everything)
            settings = replace(settings, replay_from=str(first_day))
        if not tls:
            _warn_without_tls(arguments.host)
        _warn_of_exposed_secrets(settings)
        _serve(arguments, settings, everything, bound, tls, profiles=profiles)


def _profiles(arguments: argparse.Namespace) -> list[str]:
    """Return the requested hostile profiles.

    Raises:
        StartupError: A profile does not exist, or there are several workers.
    """
    from movielens_api.hostile import parse_names

    if arguments.hostile is None:
        return []
    if arguments.workers > 1:
        raise StartupError("a hostile server counts requests in one process: omit --workers")
    return parse_names(arguments.hostile)


def _warn_without_tls(host: str) -> None:
    from movielens_api.auth.credentials import is_loopback

    if not is_loopback(host):
        warning = "without TLS, passwords and ratings cross the network unencrypted; see --tls-certificate"
        print(f"movielens-api: {warning}", file=sys.stderr)


def _warn_of_exposed_secrets(settings: Settings) -> None:
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.system.private_files import exposure

    warnings = [exposure(UsersFile(settings.durable).path)]
    secrets = (settings.tls_key, settings.tls_key_password_file)
    warnings += [exposure(Path(path), may_group=True) for path in secrets if path]
    for warning in filter(None, warnings):
        print(f"movielens-api: {warning}", file=sys.stderr)


def _stop(*_signal: object) -> None:
    # An exception, as Ctrl+C raises one, so that open files are closed.
    sys.exit(0)


def _serve(
    arguments: argparse.Namespace,
    settings: Settings,
    everything: Catalogue,
    bound: socket.socket,
    tls: ssl.SSLContext | None,
    *,
    profiles: list[str],
) -> None:
    from movielens_api import bootstrap, server
    from movielens_api.server import workers

    catalogue = bootstrap.initial_catalogue(settings, everything)
    with (
        _store(settings, catalogue, profiles) as store,
        _replay(arguments, settings, everything, store) as start_replay,
    ):
        lines = _lines(catalogue, store, settings, server.url(bound, tls=bool(tls)))
        if profiles:
            names = ", ".join(profiles)
            lines.insert(-1, f"Hostile mode ({names}): for tests of clients only. Posted ratings are not kept.")
        begin = partial(_begin, bound, lines, start_replay)
        if arguments.workers > 1:
            workers.run(arguments.workers, settings.to_json(), bound, store.fileno(), begin)
            return
        with bootstrap.application(settings, catalogue, store) as app:
            layered, connection = _with_profiles(app, profiles, settings, catalogue)
            begin()
            server.run(layered, bound, tls, connection=connection)


def _store(settings: Settings, catalogue: Catalogue, profiles: list[str]) -> Store:
    from movielens_api import bootstrap
    from movielens_api.store import Store

    # A hostile server stores nothing, and runs beside a server that uses the dataset's store.
    return Store.temporary(catalogue) if profiles else bootstrap.open_store(settings, catalogue, own=True)


def _begin(bound: socket.socket, lines: list[str], start_replay: Callable[[], None]) -> None:
    from movielens_api import server

    server.listen(bound)
    print(*lines, sep="\n", flush=True)
    start_replay()


def _lines(catalogue: Catalogue, store: Store, settings: Settings, url: str) -> list[str]:
    from movielens_api.auth import DEFAULT
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.recommendations import registry

    lines = [f"Loaded {catalogue.summary()}."]
    if settings.recommendations:
        lines.append(registry.summary(Path(settings.recommendations)))
    if posted := store.summary():
        lines.append(posted)
    if settings.credentials == DEFAULT and not UsersFile(settings.durable).current().users:
        lines.append("User and password are movielens/movielens; set API_USER and API_PASSWORD to change them.")
    return [*lines, f"Listening on {url} (documentation: {url}/docs). Stop with Ctrl+C."]


@contextmanager
def _replay(
    arguments: argparse.Namespace, settings: Settings, everything: Catalogue, store: Store
) -> Iterator[Callable[[], None]]:
    from movielens_api.datasets.options import report
    from movielens_api.replay import Replay

    if not settings.replay_from:
        yield lambda: None
        return
    day = date.fromisoformat(settings.replay_from)
    with Replay(everything.ratings, day, arguments.replay, store, report) as replay:
        yield replay.start


def _settings(arguments: argparse.Namespace) -> Settings:
    from movielens_api.auth import credentials
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.bootstrap import Settings

    asked = Settings(
        dataset=arguments.dataset,
        access_log=arguments.access_log,
        data_dir=arguments.data_dir,
        max_damaged=arguments.max_damaged,
        rate_limit=arguments.rate_limit,
        recommendations=arguments.recommendations,
        host=arguments.host,
        allowed_hosts=tuple(arguments.allowed_host),
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
        tls_key_password_file=arguments.tls_key_password_file,
    )
    has_users = bool(UsersFile(asked.durable).current().users)
    given = credentials.read_credentials(arguments.user, arguments.password, os.environ)
    chosen = credentials.choose_credentials(given, arguments.host, has_users=has_users)
    return replace(asked, user=chosen.user, password=chosen.password) if chosen else asked


def _with_profiles(
    app: ASGIApp, named: list[str], settings: Settings, catalogue: Catalogue
) -> tuple[ASGIApp, type[Connection]]:
    """Return the application with the profiles around it, if any, and the class of its connections."""
    from movielens_api.server.connection import Connection

    if not named:
        return app, Connection
    from movielens_api.hostile import make_hostile
    from movielens_api.hostile.broken_responses import HostileConnection

    return make_hostile(app, named, settings, catalogue), HostileConnection


@contextmanager
def progress(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print what is in progress: on a terminal as a line that counts the seconds, otherwise every ten seconds.

    Args:
        what: What is in progress, for example "loading ml-25m".
        stream: Where to print. By default, standard error.
    """
    done = threading.Event()
    reporter = threading.Thread(target=_report, args=(what, stream or sys.stderr, done), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def _report(what: str, stream: TextIO, done: threading.Event) -> None:
    started = time.monotonic()
    if done.wait(_SECONDS_SILENT):
        return
    begin, end = ("\r", "") if stream.isatty() else ("", "\n")
    while True:
        print(f"{begin}movielens-api: {what}: {time.monotonic() - started:.0f} s", end=end, file=stream, flush=True)
        if done.wait(_SECONDS_SILENT if stream.isatty() else _SECONDS_BETWEEN_LINES):
            break
    if begin:
        print(file=stream, flush=True)
