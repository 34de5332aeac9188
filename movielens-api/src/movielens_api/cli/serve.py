"""How long something takes already, for whoever waits: nothing for the first second, then a line."""

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
from typing import TYPE_CHECKING, TextIO

from movielens_api.cli import hostile, serve_options
from movielens_api.errors import StartupError

if TYPE_CHECKING:
    import argparse
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from movielens_api.bootstrap import Settings
    from movielens_api.store import Store
    from movielens_api.table.catalogue import Catalogue

SECONDS_SILENT = 1.0
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print what is in progress: on a terminal as a line that counts the seconds, otherwise every ten seconds.

    Args:
        what: for example "loading ml-25m".
        stream: by default, standard error.
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
    if done.wait(SECONDS_SILENT):
        return
    begin, end = ("\r", "") if stream.isatty() else ("", "\n")
    while True:
        print(f"{begin}movielens-api: {what}: {time.monotonic() - started:.0f} s", end=end, file=stream, flush=True)
        if done.wait(SECONDS_SILENT if stream.isatty() else SECONDS_BETWEEN_LINES):
            break
    if begin:
        print(file=stream, flush=True)


DESCRIPTION = "Start the server. It runs until Ctrl+C or SIGTERM."


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of `movielens-api`."""
    parser = commands.add_parser("serve", help="start the server", description=DESCRIPTION)
    parser.set_defaults(run=run)
    serve_options.add_to(parser)


def run(arguments: argparse.Namespace) -> None:
    """Serve.

    Raises:
        StartupError: something about the settings or the dataset stands in the way.
    """
    # Once it serves, the server has a handler of its own.
    signal.signal(signal.SIGTERM, _stop)
    # Imported late: --help and --version must not wait for FastAPI and polars.
    from movielens_api import bootstrap, server
    from movielens_api.observability import logs

    if arguments.hostile == hostile.LIST:
        hostile.explain()
        return
    profiles = hostile.names(arguments)
    if arguments.replay_from and not arguments.replay:
        raise StartupError("--replay-from sets the start of a replay: pass --replay, too")
    logs.configure()
    settings = _settings(arguments)
    tls = bootstrap.tls_context(settings)
    # The address is taken before the work begins, so that a taken one is noticed at once.
    with server.bind(arguments.host, arguments.port) as bound:
        with progress(f"loading {settings.dataset}"):
            everything = bootstrap.load(settings)
        if arguments.replay:
            settings = replace(settings, replay_from=_first_day(arguments, everything))
        _warn_of_listeners(arguments.host, tls=bool(tls))
        _serve(arguments, settings, everything, bound, tls, profiles=profiles)


def _stop(*_signal: object) -> None:
    # As Ctrl+C does: what is open is closed on the way out.
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
            lines.insert(-1, hostile.warning(profiles))
        begin = partial(_begin, bound, lines, start_replay)
        if arguments.workers > 1:
            workers.run(arguments.workers, settings.to_json(), bound, store.fileno(), begin)
            return
        with bootstrap.application(settings, catalogue, store) as app:
            layered, connection = hostile.layered(app, profiles, settings, catalogue)
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

    lines = [f"Loaded {catalogue.summary()}."]
    if posted := store.summary():
        lines.append(posted)
    if settings.credentials == DEFAULT and not UsersFile(settings.durable).current().users:
        lines.append("User and password are movielens/movielens; set API_USER and API_PASSWORD to change them.")
    return [*lines, f"Listening on {url} (documentation: {url}/docs). Stop with Ctrl+C."]


def _first_day(arguments: argparse.Namespace, everything: Catalogue) -> str:
    from movielens_api import replay

    return str(arguments.replay_from or replay.default_first_day(everything))


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
    from movielens_api.auth import startup_credentials
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.bootstrap import Settings

    asked = Settings(
        dataset=arguments.dataset,
        access_log=arguments.access_log,
        data_dir=arguments.data_dir,
        max_damaged=arguments.max_damaged,
        rate_limit=arguments.rate_limit,
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
        tls_key_password_file=arguments.tls_key_password_file,
    )
    has_users = bool(UsersFile(asked.durable).current().users)
    given = startup_credentials.read_credentials(arguments.user, arguments.password, os.environ)
    chosen = startup_credentials.choose_credentials(given, arguments.host, has_users=has_users)
    return replace(asked, user=chosen.user, password=chosen.password) if chosen else asked


def _warn_of_listeners(host: str, *, tls: bool) -> None:
    from movielens_api.auth.startup_credentials import is_loopback

    if not tls and not is_loopback(host):
        warning = "without TLS, passwords and ratings cross the network unencrypted; see --tls-certificate"
        print(f"movielens-api: {warning}", file=sys.stderr)
