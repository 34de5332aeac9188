"""A process and all its descendants, from /proc."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PARENT_FIELD = 1


def family(ancestor: int) -> list[int]:
    """Return a process and all its descendants, whatever their sessions: each worker may have its own."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        # A process may end while it is read.
        with suppress(OSError):
            children[_parent(folder)].append(int(folder.name))
    found = [ancestor]
    for process in found:
        found.extend(children[process])
    return found


def _parent(folder: Path) -> int:
    # The name before the last parenthesis may hold anything.
    return int((folder / "stat").read_text().rpartition(")")[2].split()[PARENT_FIELD])
