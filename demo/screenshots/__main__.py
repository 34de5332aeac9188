"""`python -m demo.screenshots`: run a stack with real ratings, and take pictures of the MovieLens page."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from demo import pipeline
from demo.__main__ import start, stopped_afterwards
from demo.configuration import Credentials
from demo.errors import DemoError, Interrupted
from demo.layout import Layout
from demo.recommendations import recommend
from demo.report import Report
from demo.screenshots.history import LATE_DAY, add_late_rating, write_history
from demo.screenshots.pictures import take
from demo.stack import Stack
from demo.watch import Interruption, Watch

TIMEOUT_SECONDS = 1800


def main() -> int:
    """Take all pictures; the exit code is 1 if that fails."""
    report, interruption = Report(), Interruption()
    # Some pictures show it. The checkout's path is of no interest.
    layout = Layout(Path(tempfile.gettempdir()) / "movielens-screenshots")
    interruption.install()
    try:
        # What is on the pictures does not depend on an earlier run.
        shutil.rmtree(layout.local, ignore_errors=True)
        layout.create()
        watch = Watch(interruption, TIMEOUT_SECONDS)
        stack = Stack(layout, Credentials.load(layout.local), watch, follow_schedules=False)
        with stack, stopped_afterwards(stack, report):
            _fill_and_take(stack, report)
    except DemoError as error:
        report.failure(error)
        return 1
    except Interrupted as interrupted:
        return interrupted.exit_code
    return 0


def _fill_and_take(stack: Stack, report: Report) -> None:
    start(stack, report)
    with report.step("Fetching two years of days, and ranking the last ones"):
        write_history(stack)
    with report.step("Running the Dags of the demo"):
        pipeline.fetch(stack.airflow, stack.watch, lambda _: None)
        pipeline.rank(stack.airflow, stack.watch)
        recommend(stack)
    with report.step(f"Adding a rating to {LATE_DAY}, and fetching the days again"):
        add_late_rating(stack)
        pipeline.fetch(stack.airflow, stack.watch, lambda _: None)
    with report.step("Taking the pictures"):
        taken = take(stack, LATE_DAY)
    for path in taken:
        report.say(f"  {stack.layout.shown(path)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
