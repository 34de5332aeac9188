"""The campaign of `kill_9`, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from benchmarks.failure import BenchmarkError


@dataclass(frozen=True)
class Kills:
    """What a campaign found.

    Attributes:
        said: in words.
        is_exact: whether nothing acknowledged was lost, and nothing doubled or torn.
    """

    said: str
    is_exact: bool


def campaign(times: int) -> Kills:
    """Kill a server so many times while it is posted to.

    Raises:
        BenchmarkError: the campaign itself failed.
    """
    command = [sys.executable, "-m", "benchmarks.api.kill_9", "--kills", str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise BenchmarkError(f"kill_9 ends with {done.returncode}: {done.stderr[-2000:]}")
    return Kills(done.stdout.strip(), done.returncode == 0)
