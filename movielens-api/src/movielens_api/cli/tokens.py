"""`movielens-api tokens`: what programs send instead of a password."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from movielens_api.cli.accounts import ROLES, command, say, show, users_file
from movielens_api.cli.arguments import digits

DESCRIPTION = "Manage the tokens of users. A running server applies changes at once."
MOST_DAYS = 36_500


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of `movielens-api`."""
    parser = commands.add_parser("tokens", help="manage the tokens of users", description=DESCRIPTION)
    own = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = command(own, "add", _add, "Create a token and print it.")
    adding.add_argument("user", metavar="USER")
    adding.add_argument("--name", required=True, help="what the token is for")
    adding.add_argument(
        "--role", choices=ROLES, default="read", help="the role of the token, at most that of its user (default: read)"
    )
    adding.add_argument(
        "--expires", type=_days, metavar="DAYS", help="the number of days until it expires (default: never)"
    )
    command(own, "list", _list, "List tokens.")
    revoking = command(own, "revoke", _revoke, "Revoke a token.")
    revoking.add_argument("user", metavar="USER")
    revoking.add_argument("name", metavar="NAME")


def _add(arguments: argparse.Namespace) -> None:
    from movielens_api.auth.tokens import generate

    user, name, days = arguments.user, arguments.name, arguments.expires
    expires = days and datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    secret = generate()
    users_file(arguments).edit(lambda users: users.add_token(user, name, arguments.role, secret, expires))
    say(f"The token {name} of {user} ({arguments.role}), which is shown only once:")
    print(secret)


def _list(arguments: argparse.Namespace) -> None:
    rows = [
        (name, token.name, token.role, token.created.date().isoformat(), _day(token.expires))
        for name, user in sorted(users_file(arguments).current().users.items())
        for token in user.tokens
    ]
    show([("USER", "NAME", "ROLE", "CREATED", "EXPIRES"), *rows])


def _revoke(arguments: argparse.Namespace) -> None:
    users_file(arguments).edit(lambda users: users.revoke(arguments.user, arguments.name))
    say(f"Revoked the token {arguments.name} of {arguments.user}.")


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else "never"


def _days(text: str) -> int:
    days = digits(text)
    if not 1 <= days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST_DAYS}")
    return days
