"""`movielens-api serve`: load the dataset, open the socket, say so, and serve."""

import argparse
import os
import re
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from movielens_api.datasets.options import Options

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
        type=Path,
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
    parser.add_argument(
        "--rate-limit",
        type=_rate,
        metavar="N",
        help="how many requests a second each user may send, and how many at once (default: any number)",
    )
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


def run(arguments: argparse.Namespace) -> None:
    """Serve.

    Raises:
        StartupError: something about the settings or the dataset stands in the way.
    """
    # Imported late: --help and --version answer before FastAPI and polars have loaded.
    from movielens_api import datasets, folders, replay, server, settings
    from movielens_api.app import create_app
    from movielens_api.auth import DEFAULT
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.datasets.options import tell
    from movielens_api.rate_limits.slots import Slots
    from movielens_api.store import Store

    if arguments.replay_from and not arguments.replay:
        raise StartupError("--replay-from says where a replay begins: give --replay, too")
    durable = folders.durable(arguments.data_dir)
    users = UsersFile(durable)
    has_users = bool(users.current().users)
    given = settings.given_credentials(arguments.user, arguments.password, os.environ)
    credentials = settings.choose_credentials(given, arguments.host, has_users=has_users)
    options = _options(arguments)
    catalogue = datasets.load(arguments.dataset, options)
    limit = arguments.rate_limit
    slots = Slots(options.data_dir / "rate-limits") if limit else None
    everything, name = catalogue.ratings, datasets.kept_as(arguments.dataset)
    if arguments.replay:
        day = arguments.replay_from or replay.first_day(catalogue)
        catalogue, name = replay.before(catalogue, day), f"{name}-replay-{day}"
    with (
        Store(durable / "store" / name, catalogue) as store,
        server.listen(arguments.host, arguments.port) as listening,
        replay.Replay(everything, day, arguments.replay, store, tell) if arguments.replay else nullcontext(),
    ):
        loaded = [f"Loaded {catalogue.summary()}.", *([posted] if (posted := store.summary()) else [])]
        _announce(loaded, server.url(listening), is_default=credentials == DEFAULT and not has_users)
        app = create_app(catalogue, credentials, store=store, users_file=users, rate_limit=limit, slots=slots)
        server.run(app, listening)


def _options(arguments: argparse.Namespace) -> "Options":
    from movielens_api.datasets.options import Options

    given = {"data_dir": arguments.data_dir, "max_damaged": arguments.max_damaged}
    return Options(**{name: value for name, value in given.items() if value is not None})


def _announce(loaded: list[str], url: str, *, is_default: bool) -> None:
    print(*loaded, sep="\n")
    if is_default:
        print("User and password are movielens/movielens; set API_USER and API_PASSWORD to change them.")
    print(f"Listening on {url} (documentation: {url}/docs). Stop with Ctrl+C.", flush=True)


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
