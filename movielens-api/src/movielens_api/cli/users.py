"""``movielens-api users`` and ``movielens-api tokens``: who may use the server."""

from __future__ import annotations

import argparse
import secrets
import sys
from datetime import UTC, datetime, timedelta
from getpass import getpass
from typing import TYPE_CHECKING

from movielens_api.cli.arguments import digits, folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from movielens_api.auth.users_file import UsersFile
    from movielens_api.cli.arguments import Parser

USERS = "Manage users. A running server applies changes at once."
_TOKENS = "Manage the tokens of users. A running server applies changes at once."
_MAX_DAYS = 36_500
ROLES = ("read", "write")


def add_users_to(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add ``users`` to the parser of ``movielens-api``."""
    parser = commands.add_parser("users", help="manage users", description=USERS)
    own = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = _command(own, "add", _add_user, "Add a user.")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--role", choices=ROLES, required=True, help="the role of the user; write includes read")
    _add_password_options(adding)
    _command(own, "list", _list_users, "List users.")
    _command(own, "remove", _remove_user, "Remove a user and all their tokens.").add_argument("name", metavar="NAME")
    changing = _command(own, "password", _change_password, "Change the password of a user.")
    changing.add_argument("name", metavar="NAME")
    _add_password_options(changing)
    role = _command(own, "role", _change_role, "Change the role of a user.")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)


def _add_user(arguments: argparse.Namespace) -> None:
    from movielens_api.auth import passwords

    file, name = _users_file(arguments), arguments.name
    file.current().check_new(name)  # before the prompt for a password
    password = _new_password(arguments)
    stored = passwords.hash_password(password)
    _print_generated(arguments, password)
    changed = file.edit(lambda users: users.add(name, arguments.role, stored))
    _say(f"Added {name} ({arguments.role}).")
    if len(changed.users) == 1:
        _say("There is a user now, so movielens/movielens no longer works.")


def _list_users(arguments: argparse.Namespace) -> None:
    users = _users_file(arguments).current().users
    rows = [
        (name, user.role, str(len(user.tokens)), user.created.date().isoformat())
        for name, user in sorted(users.items())
    ]
    _print_table([("NAME", "ROLE", "TOKENS", "CREATED"), *rows])


def _remove_user(arguments: argparse.Namespace) -> None:
    left = _users_file(arguments).edit(lambda users: users.remove(arguments.name))
    _say(f"Removed {arguments.name}.")
    if not left.users:
        _say("No users are left: a server on this computer accepts movielens/movielens again.")


def _change_password(arguments: argparse.Namespace) -> None:
    from movielens_api.auth import passwords

    file, name = _users_file(arguments), arguments.name
    file.current().get_user(name)
    password = _new_password(arguments)
    stored = passwords.hash_password(password)
    _print_generated(arguments, password)
    file.edit(lambda users: users.change(name, password=stored))
    _say(f"Changed the password of {name}.")


def _change_role(arguments: argparse.Namespace) -> None:
    name, role = arguments.name, arguments.role
    _users_file(arguments).edit(lambda users: users.change(name, role=role))
    _say(f"Changed the role of {name} to {role}.")


def _print_generated(arguments: argparse.Namespace, password: str) -> None:
    """Print a generated password before it is stored, because it would be lost if it cannot be printed."""
    if arguments.generate:
        _say("The password, which is shown only once:")
        print(password, flush=True)


def add_tokens_to(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add ``tokens`` to the parser of ``movielens-api``."""
    parser = commands.add_parser("tokens", help="manage the tokens of users", description=_TOKENS)
    own = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = _command(own, "add", _add_token, "Create a token and print it.")
    adding.add_argument("user", metavar="USER")
    adding.add_argument("--name", required=True, help="what the token is for")
    adding.add_argument(
        "--role", choices=ROLES, default="read", help="the role of the token, at most that of its user (default: read)"
    )
    adding.add_argument(
        "--expires", type=_days, metavar="DAYS", help="the number of days until it expires (default: never)"
    )
    _command(own, "list", _list_tokens, "List tokens.")
    revoking = _command(own, "revoke", _revoke_token, "Revoke a token.")
    revoking.add_argument("user", metavar="USER")
    revoking.add_argument("name", metavar="NAME")


def _add_token(arguments: argparse.Namespace) -> None:
    from movielens_api.auth.tokens import generate

    user, name, days = arguments.user, arguments.name, arguments.expires
    expires = days and datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    secret = generate()
    _users_file(arguments).edit(lambda users: users.add_token(user, name, arguments.role, secret, expires))
    _say(f"The token {name} of {user} ({arguments.role}), which is shown only once:")
    print(secret)


def _list_tokens(arguments: argparse.Namespace) -> None:
    rows = [
        (
            name,
            token.name,
            token.role,
            str(token.created.date()),
            str(token.expires.date()) if token.expires else "never",
        )
        for name, user in sorted(_users_file(arguments).current().users.items())
        for token in user.tokens
    ]
    _print_table([("USER", "NAME", "ROLE", "CREATED", "EXPIRES"), *rows])


def _revoke_token(arguments: argparse.Namespace) -> None:
    _users_file(arguments).edit(lambda users: users.revoke(arguments.user, arguments.name))
    _say(f"Revoked the token {arguments.name} of {arguments.user}.")


def _days(text: str) -> int:
    days = digits(text)
    if not 1 <= days <= _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {_MAX_DAYS}")
    return days


def _command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    description: str,
) -> argparse.ArgumentParser:
    """Add a command to a group, with the option that all commands have."""
    parser = commands.add_parser(name, help=description[0].lower() + description[1:-1], description=description)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--data-dir",
        type=folder,
        metavar="DIR",
        help="the data directory, as for `serve` (default: the user's data directory)",
    )
    return parser


def _users_file(arguments: argparse.Namespace) -> UsersFile:
    """Return the users file in the data directory.

    Raises:
        DamagedUsersError: The file cannot be read.
    """
    from movielens_api.auth.users_file import UsersFile
    from movielens_api.system.directories import data_directory

    return UsersFile(arguments.data_dir or data_directory())


def _say(message: str) -> None:
    """Print a message to standard error. Standard output is for what a program may read."""
    print(message, file=sys.stderr)


def _print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _add_password_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the source of a password."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    source.add_argument("--generate", action="store_true", help="generate a password and print it")


def _new_password(arguments: argparse.Namespace) -> str:
    """Return the new password: generated, from standard input or from a prompt.

    Raises:
        UserError: The password is refused, or there is no terminal to prompt on.
    """
    from movielens_api.auth import passwords

    password = secrets.token_urlsafe(18) if arguments.generate else _read_password(arguments)
    passwords.check_strength(password, arguments.name)
    return password


def _read_password(arguments: argparse.Namespace) -> str:
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
