"""The journal of a campaign: one line of JSON for each thing that has happened, also before a continued campaign."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

Fact = dict[str, Any]


def facts_in(file: Path) -> dict[str, list[Fact]]:
    """Return the facts in a journal by kind, without the half line that a killed campaign may have left."""
    facts: dict[str, list[Fact]] = defaultdict(list)
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            fact = json.loads(line)
            facts[fact["what"]].append(fact)
    return facts


class Journal:
    """The journal in a file.

    Args:
        file: The file, which is continued if it exists.

    Attributes:
        counts: How often something happened that is only counted, in this run.
    """

    def __init__(self, file: Path) -> None:
        self._facts: dict[str, list[Fact]] = facts_in(file) if file.exists() else defaultdict(list)
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._file = file.open("ab")
        # A campaign that was killed may have left half a line.
        self._file.truncate(file.read_bytes().rfind(b"\n") + 1)

    def note(self, what: str, **values: Any) -> Fact:
        """Add a fact, with the Unix time ``at`` unless it is given, and return it."""
        fact = {"what": what, "at": time.time(), **values}
        with self._lock:
            self._file.write(json.dumps(fact).encode() + b"\n")
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
