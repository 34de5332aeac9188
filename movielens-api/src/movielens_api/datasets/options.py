"""Options of loading datasets."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from movielens_api.system.directories import cache_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
DOWNLOADS_VARIABLE = "MOVIELENS_API_DOWNLOADS"
_MAX_DAMAGED = 0.001


def default_downloads(environ: Mapping[str, str] = os.environ) -> str:
    """Return the base URL of downloads: GroupLens', or a mirror from the environment."""
    return environ.get(DOWNLOADS_VARIABLE) or GROUPLENS


def report(message: str) -> None:
    """Print a line to standard error."""
    print(f"movielens-api: {message}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Options:
    """How datasets are loaded.

    Attributes:
        data_dir: Where downloads, the binary cache and quarantined rows are kept. It is created when first needed.
        max_damaged: The share of damaged rows up to which the rest is loaded.
        downloads: The URL under which ``<name>.zip`` is downloaded.
        report: Called with each line about progress and damage.
    """

    data_dir: Path = field(default_factory=cache_directory)
    max_damaged: float = _MAX_DAMAGED
    downloads: str = field(default_factory=default_downloads)
    report: Callable[[str], None] = report
