"""What the commands `users` and `tokens` have in common."""

from __future__ import annotations

import secrets
import sys
from getpass import getpass
from typing import TYPE_CHECKING

from movielens_api.cli import arguments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from movielens_api.auth.users_file import UsersFile

ROLES = ("read", "write")


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    description: str,
) -> argparse.ArgumentParser:
    """Add a command to those of a group, with the option that all have."""
    parser = commands.add_parser(name, help=description[0].lower() + description[1:-1], description=description)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--data-dir",
        type=arguments.folder,
        metavar="DIR",
        help="the data directory, as for `serve` (default: the user's data directory)",
    )
    return parser


def users_file(arguments: argparse.Namespace) -> UsersFile:
    """Return the file that the command is about.

    Raises:
        DamagedUsersError: it cannot be read.
    """
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.system.directories import data_directory

    return UsersFile(arguments.data_dir or data_directory())


def say(message: str) -> None:
    """Tell what was done; on stderr, since stdout is for what a program may want to read."""
    print(message, file=sys.stderr)


def show(rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a password comes from."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    source.add_argument("--generate", action="store_true", help="generate a password and print it")


def new_password(arguments: argparse.Namespace) -> str:
    """Return a password that is good enough.

    Raises:
        UserError: it is not, or there is nobody to ask.
    """
    from movielens_api.auth import passwords

    password = secrets.token_urlsafe(18) if arguments.generate else _read(arguments)
    passwords.check_strength(password, arguments.name)
    return password


def _read(arguments: argparse.Namespace) -> str:
    from movielens_api.errors import UserError

    if arguments.password_stdin:
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError("the password on standard input is not UTF-8") from error
    if not sys.stdin.isatty():
        raise UserError("there is no terminal to prompt for a password: use --password-stdin or --generate")
    try:
        password = getpass(f"Password of {arguments.name}: ")
        repeated = getpass("Repeat the password: ")
    except (EOFError, KeyboardInterrupt) as error:
        raise UserError("no password was entered") from error
    if password != repeated:
        raise UserError("the two passwords differ; nothing was changed")
    return password
