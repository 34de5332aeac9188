"""`movielens-api serve`: load the dataset, open the socket, say so, and serve."""

import argparse
import os
import re
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from movielens_api.assembly import Settings
    from movielens_api.catalogue import Catalogue
    from movielens_api.store import Store

DESCRIPTION = "Serve ratings until told to stop."


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand to the parser of `movielens-api`."""
    parser = commands.add_parser("serve", help="start the server", description=DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--dataset",
        default="sample",
        metavar="NAME|PATH",
        help="sample, ml-latest-small, ml-25m, ml-32m, synthetic:N, or a folder or zip with GroupLens' ratings.csv and "
        "movies.csv (default: sample)",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where posted ratings, users, downloads, the binary cache and quarantined rows are kept "
        "(default: the user's data directory, and the user's cache directory for what comes back)",
    )
    parser.add_argument(
        "--max-damaged",
        type=_share,
        metavar="SHARE",
        help="the share of damaged ratings up to which the rest is loaded (default: 0.001)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=5000, help="the port to listen on; 0 picks one (default: 5000)")
    parser.add_argument("--user", help="the user to accept (default: $API_USER)")
    parser.add_argument(
        "--password",
        help="the password to accept (default: $API_PASSWORD, which other users of the machine cannot see)",
    )
    _add_operation(parser)
    _add_replay(parser)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replay",
        type=_speed,
        metavar="SPEED",
        help="let historical ratings arrive as if live, at so many times real time (8640: a day in ten seconds)",
    )
    parser.add_argument(
        "--replay-from",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the first day (UTC) whose ratings arrive; earlier ones are there (default: 30 days before the last)",
    )


def _add_operation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate-limit",
        type=_rate,
        metavar="N",
        help="how many requests a second each user may send, and how many at once (default: any number)",
    )
    parser.add_argument(
        "--workers", type=_workers, default=1, metavar="N", help="how many processes answer (default: 1)"
    )
    parser.add_argument(
        "--tls-certificate", metavar="FILE", help="speak TLS with this certificate and its chain, in PEM"
    )
    parser.add_argument("--tls-key", metavar="FILE", help="the key of the certificate, in PEM")
    parser.add_argument("--tls-key-password-file", metavar="FILE", help="the password of the key, if it has one")
    parser.add_argument(
        "--access-log",
        default="-",
        metavar="FILE",
        help="a line of JSON per request goes there; - is standard error, /dev/null nowhere (default: -)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Serve.

    Raises:
        StartupError: something about the settings or the dataset stands in the way.
    """
    # Imported late: --help and --version answer before FastAPI and polars have loaded.
    from movielens_api import assembly, server
    from movielens_api.observation import server_log
    from movielens_api.progress import progress
    from movielens_api.server import workers

    if arguments.replay_from and not arguments.replay:
        raise StartupError("--replay-from says where a replay begins: give --replay, too")
    server_log.configure()
    settings = _settings(arguments)
    tls = assembly.tls_context(settings)
    # The address is taken before the work begins, so that a taken one is noticed at once.
    with server.bind(arguments.host, arguments.port) as bound:
        with progress(f"loading {settings.dataset}"):
            everything = assembly.load(settings)
        if arguments.replay:
            settings = replace(settings, replay_from=_first_day(arguments, everything))
        catalogue = assembly.begun(settings, everything)
        _warn_of_listeners(arguments.host, tls=bool(tls))
        with (
            assembly.open_store(settings, catalogue, own=True) as store,
            _replay(arguments, settings, everything, store),
        ):
            loaded = [f"Loaded {catalogue.summary()}.", *([posted] if (posted := store.summary()) else [])]
            announce = partial(_announce, loaded, server.url(bound, tls=bool(tls)), settings)
            if arguments.workers > 1:
                server.admit(bound)
                workers.run(arguments.workers, settings.to_json(), bound, store.fileno(), announce)
                return
            with assembly.application(settings, catalogue, store) as app:
                server.admit(bound)
                announce()
                server.run(app, bound, tls)


def _first_day(arguments: argparse.Namespace, everything: "Catalogue") -> str:
    from movielens_api import replay

    return str(arguments.replay_from or replay.first_day(everything))


def _replay(
    arguments: argparse.Namespace, settings: "Settings", everything: "Catalogue", store: "Store"
) -> AbstractContextManager[object]:
    from movielens_api import replay
    from movielens_api.datasets.options import tell

    if not settings.replay_from:
        return nullcontext()
    return replay.Replay(everything.ratings, date.fromisoformat(settings.replay_from), arguments.replay, store, tell)


def _settings(arguments: argparse.Namespace) -> "Settings":
    from movielens_api import settings
    from movielens_api.assembly import Settings
    from movielens_api.auth.users_file import UsersFile

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
    given = settings.given_credentials(arguments.user, arguments.password, os.environ)
    chosen = settings.choose_credentials(given, arguments.host, has_users=has_users)
    return replace(asked, user=chosen.user, password=chosen.password) if chosen else asked


def _warn_of_listeners(host: str, *, tls: bool) -> None:
    from movielens_api.settings import is_loopback

    if not tls and not is_loopback(host):
        warning = "without TLS, passwords and ratings cross the network readably; see --tls-certificate"
        print(f"movielens-api: {warning}", file=sys.stderr)


def _announce(loaded: list[str], url: str, settings: "Settings") -> None:
    from movielens_api.auth import DEFAULT
    from movielens_api.auth.users_file import UsersFile

    print(*loaded, sep="\n")
    if settings.credentials == DEFAULT and not UsersFile(settings.durable).current().users:
        print("User and password are movielens/movielens; set API_USER and API_PASSWORD to change them.")
    print(f"Listening on {url} (documentation: {url}/docs). Stop with Ctrl+C.", flush=True)


def _workers(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    if number > 1 and os.name != "posix":
        raise argparse.ArgumentTypeError("several workers need a POSIX system; this one can have 1")
    return number


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the highest port there is
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 65535")
    return port


def _rate(text: str) -> int:
    rate = int(text)
    if not 1 <= rate <= 1_000_000:  # noqa: PLR2004 - far beyond what one computer answers
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1000000")
    return rate


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 1e9:  # noqa: PLR2004 - thirty years in a second
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to 1000000000")
    return speed


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise argparse.ArgumentTypeError(f"{text} is not a day written YYYY-MM-DD")
    return date.fromisoformat(text)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share
