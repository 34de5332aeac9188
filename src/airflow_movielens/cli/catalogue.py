"""``movielens catalogue``: rebuild the catalogue of a data root."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_REPORTED_EVERY = 500


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "rebuild the catalogue of a data root"
    parser = commands.add_parser("catalogue", help=summary, description=f"{summary.capitalize()}.")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    described = "rebuild the catalogue of a data root, from the manifests, registries and evaluations in it"
    rebuild = actions.add_parser("rebuild", help=described, description=f"{described.capitalize()}.")
    rebuild.add_argument("root", metavar="ROOT", help="folder or URL: Airflow's option [movielens] data_root")
    rebuild.add_argument("--debug", action="store_true", help="print a traceback with an error")
    rebuild.set_defaults(prepare=prepare_rebuild, when_stopped="run the same command again")


def prepare_rebuild(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that rebuilds the catalogue."""
    from airflow_movielens.ratings.paths import path_text

    root = path_text(options.root)

    def run() -> None:
        from airflow_movielens.storage.catalogue.rebuilding import rebuild

        with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
            counts = rebuild(root, _report)
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in counts.items())
        print(f"{counts.total():,} records in the catalogue of {root}" + (f": {kinds}" if kinds else ""))

    return run


def _report(number: int) -> None:
    if number % _REPORTED_EVERY == 0:
        print(f"{number:,} records found", file=sys.stderr)
