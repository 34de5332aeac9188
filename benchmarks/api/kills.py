"""The campaign of `kill_9` in a separate process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from benchmarks.failure import BenchmarkError


@dataclass(frozen=True)
class Kills:
    """The result of a campaign.

    Attributes:
        said: The result in words.
        is_exact: Whether no acknowledged post was lost, and none was duplicated or torn.
    """

    said: str
    is_exact: bool


def campaign(times: int) -> Kills:
    """Kill a server several times while clients post.

    Raises:
        BenchmarkError: The campaign itself failed.
    """
    command = [sys.executable, "-m", "benchmarks.api.kill_9", "--kills", str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise BenchmarkError(f"kill_9 ended with {done.returncode}: {done.stderr[-2000:]}")
    return Kills(done.stdout.strip(), done.returncode == 0)
