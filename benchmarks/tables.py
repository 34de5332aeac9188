"""Markdown tables, and the verdicts on targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A target, and its result.

    Attributes:
        description: The target in words.
        measured: The result in words.
        met: Whether the target was met.
    """

    description: str
    measured: str
    met: bool


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdicts(targets: Iterable[Target]) -> str:
    """Return a table that shows which targets were met."""
    rows = ([target.description, target.measured, "yes" if target.met else "NO"] for target in targets)
    return table(["target", "measured", "met"], rows)
