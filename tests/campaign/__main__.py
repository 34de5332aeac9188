"""`python -m tests.campaign`: run a campaign, or continue one, and report what its checks found."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from tests.campaign import report
from tests.campaign.checks.evidence import Evidence
from tests.campaign.plan import Plan
from tests.campaign.run import Campaign


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; the exit code is 1 if a check found a fault, and 130 if it was stopped."""
    options = _parser().parse_args(arguments)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="campaign-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    again = f"python -m tests.campaign --seed {options.seed} --rows {options.rows} --minutes {options.minutes:g}"
    say(f"seed {options.seed}, in {folder}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        Campaign(Plan.in_folder(folder, options.seed, options.rows), folder).run(options.minutes * 60)
    except KeyboardInterrupt:
        print(f"stopped; to continue: {again} --folder {folder}", file=sys.stderr)
        return 130
    except (BenchmarkError, ValueError) as error:
        print(f"campaign: {error}", file=sys.stderr)
        return 1
    say("checking")
    evidence = Evidence.of(folder)
    print(report.figures(evidence))
    found, faults = report.check(evidence)
    print(f"\n{found}\n\nTo repeat: {again}")
    if faults:
        print(f"The evidence is in {folder}")
    elif not options.folder:
        shutil.rmtree(folder)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long to disturb (default: 20)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="default: a random one")
    parser.add_argument("--rows", type=int, default=200_000, help="ratings before any are posted (default: 200,000)")
    parser.add_argument(
        "--folder", type=Path, help="where everything is kept, to continue it later (default: a temporary one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
