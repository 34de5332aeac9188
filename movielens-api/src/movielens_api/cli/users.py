"""`movielens-api users`: who may use the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.cli.accounts import ROLES, add_options, command, new_password, say, show, users_file

if TYPE_CHECKING:
    import argparse

DESCRIPTION = "Manage users. A running server applies changes at once."


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of `movielens-api`."""
    parser = commands.add_parser("users", help="manage users", description=DESCRIPTION)
    own = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = command(own, "add", _add, "Add a user.")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--role", choices=ROLES, required=True, help="the role of the user; write includes read")
    add_options(adding)
    command(own, "list", _list, "List users.")
    command(own, "remove", _remove, "Remove a user and all their tokens.").add_argument("name", metavar="NAME")
    changing = command(own, "password", _password, "Change the password of a user.")
    changing.add_argument("name", metavar="NAME")
    add_options(changing)
    role = command(own, "role", _role, "Change the role of a user.")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)


def _add(arguments: argparse.Namespace) -> None:
    from movielens_api.auth import passwords

    file, name = users_file(arguments), arguments.name
    file.current().check_new(name)  # before anybody types a password
    password = new_password(arguments)
    stored = passwords.hash_password(password)
    _tell(arguments, password)
    changed = file.edit(lambda users: users.add(name, arguments.role, stored))
    say(f"Added {name} ({arguments.role}).")
    if len(changed.users) == 1:
        say("There is a user now, so movielens/movielens no longer works.")


def _list(arguments: argparse.Namespace) -> None:
    users = users_file(arguments).current().users
    rows = [
        (name, user.role, str(len(user.tokens)), user.created.date().isoformat())
        for name, user in sorted(users.items())
    ]
    show([("NAME", "ROLE", "TOKENS", "CREATED"), *rows])


def _remove(arguments: argparse.Namespace) -> None:
    left = users_file(arguments).edit(lambda users: users.remove(arguments.name))
    say(f"Removed {arguments.name}.")
    if not left.users:
        say("No users are left: a server on this computer accepts movielens/movielens again.")


def _password(arguments: argparse.Namespace) -> None:
    from movielens_api.auth import passwords

    file, name = users_file(arguments), arguments.name
    file.current().get_user(name)
    password = new_password(arguments)
    stored = passwords.hash_password(password)
    _tell(arguments, password)
    file.edit(lambda users: users.change(name, password=stored))
    say(f"Changed the password of {name}.")


def _role(arguments: argparse.Namespace) -> None:
    name, role = arguments.name, arguments.role
    users_file(arguments).edit(lambda users: users.change(name, role=role))
    say(f"Changed the role of {name} to {role}.")


def _tell(arguments: argparse.Namespace, password: str) -> None:
    """Print a generated password before it is stored, because it would be lost if it cannot be printed."""
    if arguments.generate:
        say("The password, which is shown only once:")
        print(password, flush=True)
