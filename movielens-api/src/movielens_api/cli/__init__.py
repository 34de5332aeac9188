"""The command `movielens-api`: one module per subcommand, each with `add_to` (its arguments) and `run`."""

import argparse
import sys
from collections.abc import Sequence

from movielens_api import __version__
from movielens_api.cli import serve, tokens, users
from movielens_api.errors import StartupError

DESCRIPTION = "A ratings REST API on real MovieLens data."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments; by default those of this process.

    Returns:
        The exit status: 0 stopped as asked, 1 damaged data, 2 a setting to mend, 75 a download to try again later.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except StartupError as error:
        print(f"movielens-api: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="movielens-api", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (serve, users, tokens):
        command.add_to(commands)
    return parser
