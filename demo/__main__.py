"""`python -m demo run` and `python -m demo up`."""

from __future__ import annotations

import argparse
import sys

from demo.commands import run_demo, run_up
from demo.failure import DemoError, Interrupted
from demo.interruption import Interruption
from demo.layout import Layout
from demo.report import Report


def main() -> int:
    """Run a command; the exit code says whether it worked."""
    arguments = _parser().parse_args()
    report, interruption, layout = Report(), Interruption(), Layout.from_environment()
    interruption.install()
    try:
        layout.create()
        if arguments.command == "up":
            run_up(layout, report, interruption)
        else:
            run_demo(layout, report, interruption, arguments.connection_password)
    except DemoError as error:
        report.failure(error)
        return 1
    except Interrupted as interrupted:
        report.say("Interrupted; nothing is left running.")
        return interrupted.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="keep movielens-api and Airflow running until Ctrl-C")
    run = commands.add_parser("run", help="fetch and rank a fortnight of ratings, then stop everything")
    run.add_argument(
        "--connection-password", help="what Airflow uses to call the API, to see what a failure looks like"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
