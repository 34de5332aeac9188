"""The arguments of the commands: their parser, their types, and the options of ``movielens-api serve``."""

from __future__ import annotations

import argparse
import os
import re
from contextlib import suppress
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|file:", re.ASCII)
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_]+%", re.ASCII)


class Parser(argparse.ArgumentParser):
    """A parser that refuses empty values and options given twice. ``argparse`` would use the last value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register("action", None, _StoreOnce)


class _StoreOnce(argparse.Action):
    _typed: Any = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        # An unset shell variable becomes ''. Before Python 3.13, argparse turns '--' into an empty list.
        if option and values in ("", []):
            parser.error(f"argument {option}: the value is empty")
        if self._typed not in (None, values):
            # Without the values: one of the options is a password.
            parser.error(f"argument {option}: given twice, with different values")
        self._typed = values
        setattr(namespace, self.dest, values)


def digits(text: str) -> int:
    """Parse a whole number: ASCII digits only, without the signs, spaces and underscores that ``int`` accepts.

    Raises:
        argparse.ArgumentTypeError: The text is not a whole number.
    """
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def number(text: str) -> float:
    """Parse a decimal number.

    Raises:
        argparse.ArgumentTypeError: The text is not a number.
    """
    if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"expected a number such as 0.5, found {text!r}")
    return float(text)


def path(text: str) -> str:
    """Return the path in an option, with ``~`` expanded, which no shell does in ``--data-dir=~/data``.

    Raises:
        argparse.ArgumentTypeError: The text is empty or a URL, contains a NUL, or begins with a variable or with the
            home directory of a user who does not exist.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty: omit the option or pass a path")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} contains a NUL, which no path can have")
    if URL.match(text):
        without_password = re.sub(r"//[^/@]*@", "//", text)
        raise argparse.ArgumentTypeError(f"{without_password!r} is a URL: pass a path on this machine")
    if _VARIABLE.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} starts with a variable that no shell has expanded")
    try:
        expanded = Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such home directory") from error
    if text.startswith("~") and not expanded.is_absolute():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such home directory")
    # Other paths are returned as typed, such as "-" and "a//b".
    return str(expanded) if text.startswith("~") else text


def folder(text: str) -> Path:
    """Return the path in an option as a ``Path``; see ``path``.

    Raises:
        argparse.ArgumentTypeError: See ``path``.
    """
    return Path(path(text))


def host_name(text: str) -> str:
    """Return a host name or an IP address in lower case, without the brackets of IPv6.

    Raises:
        argparse.ArgumentTypeError: It is neither, for example because it has a scheme or a port.
    """
    name = text.lower().removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        return str(ip_address(name))
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", name):
        raise argparse.ArgumentTypeError(f"expected a host name without scheme and port, found {text!r}")
    return name


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of the subcommand."""
    _add_dataset(parser)
    _add_access(parser)
    _add_operation(parser)
    _add_replay(parser)
    _add_hostility(parser)


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        type=path,
        default="sample",
        metavar="NAME|PATH",
        help="sample, ml-latest-small, ml-25m, ml-32m, synthetic:N, or a folder or zip with the files of any MovieLens "
        "release (default: sample)",
    )
    parser.add_argument(
        "--data-dir",
        type=path,
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
    parser.add_argument(
        "--allowed-host",
        type=host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which clients reach the server, besides localhost; can be repeated (default: on a loopback "
        "address no other name, elsewhere any)",
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
        "--recommendations",
        type=path,
        metavar="DIR",
        help="the folder of a model registry, whose champion recommends movies (default: no recommendations)",
    )
    parser.add_argument(
        "--tls-certificate",
        type=path,
        metavar="FILE",
        help="serve over TLS with this certificate and its chain, in PEM",
    )
    parser.add_argument("--tls-key", type=path, metavar="FILE", help="the key of the certificate, in PEM")
    parser.add_argument(
        "--tls-key-password-file", type=path, metavar="FILE", help="the password of the key, if it has one"
    )
    parser.add_argument(
        "--access-log",
        type=path,
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
