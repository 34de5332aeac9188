"""The command ``movielens``.

- ``fetch``, ``rank``, ``train``, ``evaluate``, ``recommend``, ``similar``, ``models``, ``catalogue``: one module for
  each subcommand, with ``add_to`` (its arguments) and ``prepare``, which checks the arguments and returns the function
  to run.
- ``api_options``: options and environment variables as client settings.
- ``model_options``: options and environment variables as a model with the titles of its movies.
- ``tables``: dataframes as tables on stdout.
- ``exit_status``: the exit status, and the line that explains it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from airflow_movielens import __version__
from airflow_movielens.cli import catalogue, evaluate, fetch, models, rank, recommend, similar, train
from airflow_movielens.cli.exit_status import as_usage_errors, let_ctrl_c_end_waits, prepare_streams, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Pull ratings from a MovieLens-style REST API exactly, and rank movies."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments; None for those of this process.

    Returns:
        The exit status; see `airflow_movielens.cli.exit_status.ExitStatus`.
    """
    prepare_streams()
    arguments = _parser().parse_args(argv)

    def run() -> None:
        with as_usage_errors():
            prepared = arguments.prepare(arguments)
        let_ctrl_c_end_waits()
        prepared()
        sys.stdout.flush()

    return run_command(run, f"movielens {arguments.command}", arguments.when_stopped, debug=arguments.debug)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="movielens", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in (fetch, rank, train, evaluate, recommend, similar, models, catalogue):
        command.add_to(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose options take one non-empty value; argparse itself silently keeps the last of several."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register("action", None, _StoreOnce)
        self.register("action", "append", _Append)


def _check_value(action: argparse.Action, parser: argparse.ArgumentParser, value: Any, option: str | None) -> None:
    # An unset shell variable gives ''; before Python 3.13, argparse turns '--' into an empty list.
    if value in ("", []):
        parser.error(f"argument {option or action.metavar}: expected a value, found an empty one")


class _Append(argparse._AppendAction):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        _check_value(self, parser, values, option)
        super().__call__(parser, namespace, values, option)


class _StoreOnce(argparse.Action):
    _typed: Any = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        _check_value(self, parser, values, option)
        if self._typed not in (None, values):
            # Without the values: they may hold a password.
            parser.error(f"argument {option}: given twice, with different values")
        self._typed = values
        setattr(namespace, self.dest, values)
