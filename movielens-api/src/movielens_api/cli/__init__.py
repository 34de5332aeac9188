"""The command ``movielens-api``.

- ``serve``: starts the server.
- ``users``: manages users and their tokens.
- ``arguments``: the parser, the types of arguments, and the options of ``serve``.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

from movielens_api import __version__
from movielens_api.cli import serve, users
from movielens_api.cli.arguments import Parser
from movielens_api.errors import StartupError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = "A ratings REST API on real MovieLens data."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments. By default, those of this process.

    Returns:
        The exit status; see ``execute``.
    """
    _prepare_streams()
    return execute(_parser().parse_args(argv))


def execute(arguments: argparse.Namespace) -> int:
    """Run the subcommand of parsed arguments, and print its error, if any, as one line.

    Returns:
        The exit status: 0 after an orderly stop, 1 for damaged data, output that cannot be written or a bug, 2 for a
        setting to fix, 75 for a download to retry later.
    """
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except StartupError as error:
        return _failed(str(error), error.exit_code)
    except OSError as error:
        # Such as a full disk, or a closed pipe on standard output.
        return _failed(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)
    except KeyboardInterrupt:
        return 0
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - also a panic of polars, which is not an Exception
        if arguments.debug:
            traceback.print_exc()
        return _failed(f"{type(error).__name__}: {error} (a bug; movielens-api --debug COMMAND shows the traceback)", 1)
    return 0


def _prepare_streams() -> None:
    """Replace closed streams by the null device, and escape characters that the encoding of stdout lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _failed(message: str, status: int) -> int:
    with suppress(OSError):
        print(f"movielens-api: {' '.join(message.split())}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        # Otherwise, Python would flush again at exit and end with another message and status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="movielens-api", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve.add_to(commands)
    users.add_users_to(commands)
    users.add_tokens_to(commands)
    return parser
