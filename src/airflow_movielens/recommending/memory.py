"""The memory that this process may use: that of the machine, or less in a container."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def usable_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory of the machine, or the lowest limit of the control groups of this process.

    Args:
        root: Where ``proc`` and ``sys`` are mounted.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    """Yield the limits of the control groups of this process, of version 2 or 1, and of those that they are in."""
    for folder, path, name in _groups(root):
        # In a container, the groups outside of it may be named but not be there.
        for group in (path, *path.parents):
            file = folder / group.relative_to("/") / name
            text = file.read_text(encoding="utf-8").strip() if file.is_file() else "max"
            if text.isdecimal():
                yield int(text)


def _groups(root: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield where the groups are mounted, the path of this process' group there, and the name of the limit's file."""
    listed = root / "proc/self/cgroup"
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield root / "sys/fs/cgroup", Path(path), "memory.max"
        elif "memory" in controllers.split(","):
            yield root / "sys/fs/cgroup/memory", Path(path), "memory.limit_in_bytes"
