"""The machine and the software that the results depend on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path


def notes(packages: Sequence[str]) -> list[str]:
    """Describe machine and software. The load shows whether the machine was already busy, which spoils the results.

    Args:
        packages: The distributions whose versions matter.
    """
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = os.getloadavg()[0]
    return [
        f"{os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.release()}, load before: {load:.1f}",
        f"{platform.python_implementation()} {platform.python_version()}, {versions}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
