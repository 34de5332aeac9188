"""What the commands `users` and `tokens` have in common."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from movielens_api.cli import paths

if TYPE_CHECKING:
    from movielens_api.auth.users_file import UsersFile

ROLES = ("read", "write")


def command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], None],
    description: str,
) -> argparse.ArgumentParser:
    """Add a command to those of a group, with the option that all have."""
    parser = commands.add_parser(name, help=description[0].lower() + description[1:-1], description=description)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--data-dir", type=paths.folder, metavar="DIR", help="as for `serve` (default: the user's data directory)"
    )
    return parser


def users_file(arguments: argparse.Namespace) -> "UsersFile":
    """Return the file that the command is about.

    Raises:
        DamagedUsersError: it cannot be read.
    """
    from movielens_api import folders
    from movielens_api.auth.users_file import UsersFile

    return UsersFile(folders.durable(arguments.data_dir))


def say(message: str) -> None:
    """Tell what was done; on stderr, since stdout is for what a program may want to read."""
    print(message, file=sys.stderr)


def show(rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
