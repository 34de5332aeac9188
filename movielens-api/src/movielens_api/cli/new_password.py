"""Where the commands get a new password from: a prompt, standard input or chance; never an option, which others see."""

import argparse
import secrets
import sys
from getpass import getpass


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a password comes from."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    source.add_argument("--generate", action="store_true", help="make a password up and print it")


def new_password(arguments: argparse.Namespace) -> str:
    """Return a password that is good enough.

    Raises:
        UserError: it is not, or there is nobody to ask.
    """
    from movielens_api.auth import passwords

    password = secrets.token_urlsafe(18) if arguments.generate else _read(arguments)
    passwords.check(password, arguments.name)
    return password


def _read(arguments: argparse.Namespace) -> str:
    from movielens_api.errors import UserError

    if arguments.password_stdin:
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError("the password on standard input is not UTF-8") from error
    if not sys.stdin.isatty():
        raise UserError("there is no terminal to ask for a password: use --password-stdin or --generate")
    try:
        password = getpass(f"Password of {arguments.name}: ")
        repeated = getpass("Once more: ")
    except (EOFError, KeyboardInterrupt) as error:
        raise UserError("no password was typed") from error
    if password != repeated:
        raise UserError("the two passwords differ; nothing was changed")
    return password
