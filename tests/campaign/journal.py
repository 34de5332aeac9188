"""The journal of a campaign: one line of JSON for each thing that has happened, also before a continued campaign."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

Fact = dict[str, Any]


class Journal:
    """The journal in a file.

    Args:
        file: The file, which is continued if it exists.

    Attributes:
        counts: How often something happened that is only counted, in this run.
    """

    def __init__(self, file: Path) -> None:
        self._facts: dict[str, list[Fact]] = defaultdict(list)
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        if file.exists():
            self._read(file)
        self._file = file.open("a")

    def _read(self, file: Path) -> None:
        content = file.read_bytes()
        # A campaign that was killed may have left half a line.
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            file.write_bytes(whole)
        for line in whole.splitlines():
            fact = json.loads(line)
            self._facts[fact["what"]].append(fact)

    def note(self, what: str, **values: Any) -> Fact:
        """Add a fact, with the Unix time ``at`` unless it is given, and return it."""
        fact = {"what": what, "at": time.time(), **values}
        with self._lock:
            self._file.write(json.dumps(fact) + "\n")
            self._file.flush()
            self._facts[what].append(fact)
        return fact

    def count(self, what: str, times: int = 1) -> None:
        """Count something that needs no line of its own."""
        with self._lock:
            self.counts[what] += times

    def facts(self, what: str) -> list[Fact]:
        """Return all facts of a kind in order."""
        with self._lock:
            return list(self._facts[what])

    def close(self) -> None:
        """Keep the counts, and close the file."""
        self.note("counts", counts=dict(self.counts))
        self._file.close()
