"""The options of ``movielens-api serve`` and their allowed values."""

from __future__ import annotations

import argparse
import os
import re
from datetime import date

from movielens_api.cli import arguments
from movielens_api.cli.arguments import digits, number


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of the subcommand."""
    _add_dataset(parser)
    _add_access(parser)
    _add_operation(parser)
    _add_replay(parser)
    _add_hostility(parser)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        type=arguments.path,
        default="sample",
        metavar="NAME|PATH",
        help="sample, ml-latest-small, ml-25m, ml-32m, synthetic:N, or a folder or zip with the files of any MovieLens "
        "release (default: sample)",
    )
    parser.add_argument(
        "--data-dir",
        type=arguments.path,
        metavar="DIR",
        help="where posted ratings, users, downloads, the binary cache and quarantined rows are kept "
        "(default: the user's data directory, and the user's cache directory for files that can be restored)",
    )
    parser.add_argument(
        "--max-damaged",
        type=_share,
        metavar="SHARE",
        help="the share of damaged ratings to tolerate (default: 0.001)",
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, default=5000, help="the port to listen on; 0 picks a free one (default: 5000)"
    )
    parser.add_argument("--user", help="the user to accept (default: $API_USER)")
    parser.add_argument(
        "--password",
        help="the password to accept (default: $API_PASSWORD, which other users of the machine cannot see)",
    )


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replay",
        type=_speed,
        metavar="SPEED",
        help="let historical ratings arrive as if live, at this multiple of real time (8640: a day in ten seconds)",
    )
    parser.add_argument(
        "--replay-from",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the first day (UTC) whose ratings arrive; earlier ones are loaded (default: 30 days before the last)",
    )


def _add_hostility(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hostile",
        metavar="PROFILE,...",
        help="misbehave on purpose, to test a client; profiles can be combined, and `list` explains them",
    )


def _add_operation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate-limit",
        type=_rate,
        metavar="N",
        help="the number of requests per second that each user may send, also as a burst (default: unlimited)",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="the number of processes that serve requests (default: 1)",
    )
    parser.add_argument(
        "--tls-certificate",
        type=arguments.path,
        metavar="FILE",
        help="serve over TLS with this certificate and its chain, in PEM",
    )
    parser.add_argument("--tls-key", type=arguments.path, metavar="FILE", help="the key of the certificate, in PEM")
    parser.add_argument(
        "--tls-key-password-file", type=arguments.path, metavar="FILE", help="the password of the key, if it has one"
    )
    parser.add_argument(
        "--access-log",
        type=arguments.path,
        default="-",
        metavar="FILE",
        help="the file for a line of JSON per request; - is standard error, /dev/null disables it (default: -)",
    )


def _workers(text: str) -> int:
    count = digits(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    if count > 1 and os.name != "posix":
        raise argparse.ArgumentTypeError("more than one worker requires a POSIX system")
    return count


def _port(text: str) -> int:
    port = digits(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the highest port there is
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 65535")
    return port


def _rate(text: str) -> int:
    rate = digits(text)
    if not 1 <= rate <= 1_000_000:  # noqa: PLR2004 - far beyond the capacity of one computer
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1000000")
    return rate


def _speed(text: str) -> float:
    speed = number(text)
    if not 0 < speed <= 1e9:  # noqa: PLR2004 - thirty years in a second
        raise argparse.ArgumentTypeError(f"{text} is not greater than 0 and at most 1000000000")
    return speed


def _day(text: str) -> date:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a calendar date as YYYY-MM-DD, found {text!r}") from None


def _share(text: str) -> float:
    share = number(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share
