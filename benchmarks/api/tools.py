"""Programs that pip cannot install: nginx and wrk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from benchmarks.failure import BenchmarkError

PROGRAMS = ("nginx", "wrk")
# Debian installs servers outside the PATH of users.
PLACES = os.pathsep.join([*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"])


def install(programs: Sequence[str] = PROGRAMS) -> None:
    """Install those programs that are missing with apt-get, as root or with sudo.

    Raises:
        BenchmarkError: A program cannot be installed.
    """
    missing = [program for program in programs if not _find(program)]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    command = [*sudo, "apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if shutil.which(command[0]) and shutil.which("apt-get"):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if not all(_find(program) for program in missing):
        raise BenchmarkError(
            f"install {' and '.join(missing)} first, such as with: sudo apt-get install {' '.join(missing)}"
        )


def path(program: str) -> str:
    """Return the path of an installed program."""
    found = _find(program)
    if not found:
        raise BenchmarkError(f"{program} is not installed")
    return found


def _find(program: str) -> str | None:
    return shutil.which(program, path=PLACES)
