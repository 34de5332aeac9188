"""Tables in Markdown, and what was promised in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One promise.

    Attributes:
        promise: in words.
        measured: what the run measured, in words.
        met: whether the promise was kept.
    """

    promise: str
    measured: str
    met: bool


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdicts(targets: Iterable[Target]) -> str:
    """Write a table that says of each promise whether it was kept."""
    rows = ([target.promise, target.measured, "yes" if target.met else "NO"] for target in targets)
    return table(["target", "measured", "met"], rows)
