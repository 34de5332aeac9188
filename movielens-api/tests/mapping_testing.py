"""How much of a file is mapped into memory."""

from __future__ import annotations

import re
from pathlib import Path


def in_memory(folder: Path) -> int:
    """Return how many bytes of the files in a folder this process has mapped into its memory."""
    mappings = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    found = (re.search(r"^Rss: +(\d+) kB$", each, re.MULTILINE) for each in mappings if f"{folder}/" in each)
    return sum(1024 * int(size[1]) for size in found if size)
