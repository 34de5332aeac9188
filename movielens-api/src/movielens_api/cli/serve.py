"""`movielens-api serve`: load the dataset, open the socket, say so, and serve."""

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movielens_api.assembly import Settings

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
        help="where downloads, the binary cache and quarantined rows are kept (default: the user's cache directory)",
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


def _add_operation(parser: argparse.ArgumentParser) -> None:
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

    server_log.configure()
    settings = _settings(arguments)
    tls = assembly.tls_context(settings)
    # The address is taken before the work begins, so that a taken one is noticed at once.
    with server.bind(arguments.host, arguments.port) as bound:
        with progress(f"loading {settings.dataset}"):
            catalogue = assembly.load(settings)
        _warn_of_listeners(arguments.host, tls=bool(tls))
        announce = partial(_announce, catalogue.summary(), server.url(bound, tls=bool(tls)), settings)
        if arguments.workers == 1:
            with assembly.application(settings, catalogue) as app:
                server.admit(bound)
                announce()
                server.run(app, bound, tls)
        else:
            # Each loads the dataset for itself, from the cache that is there now.
            del catalogue
            server.admit(bound)
            workers.run(arguments.workers, settings.to_json(), bound, announce)


def _settings(arguments: argparse.Namespace) -> "Settings":
    from movielens_api import settings
    from movielens_api.assembly import Settings

    credentials = settings.choose_credentials(arguments.user, arguments.password, os.environ)
    settings.refuse_default_in_public(credentials, arguments.host)
    return Settings(
        dataset=arguments.dataset,
        user=credentials.user,
        password=credentials.password,
        access_log=arguments.access_log,
        data_dir=arguments.data_dir,
        max_damaged=arguments.max_damaged,
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
        tls_key_password_file=arguments.tls_key_password_file,
    )


def _warn_of_listeners(host: str, *, tls: bool) -> None:
    from movielens_api.settings import is_loopback

    if not tls and not is_loopback(host):
        warning = "without TLS, passwords and ratings cross the network readably; see --tls-certificate"
        print(f"movielens-api: {warning}", file=sys.stderr)


def _announce(summary: str, url: str, settings: "Settings") -> None:
    from movielens_api.settings import DEFAULT

    print(f"Loaded {summary}.")
    if (settings.user, settings.password) == (DEFAULT.user, DEFAULT.password):
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


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share
