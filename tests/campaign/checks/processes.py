"""No log has a traceback, no command fails, and memory, threads and open files of the server are bounded."""

from __future__ import annotations

import re
from collections import Counter

from tests.campaign.checks.evidence import Evidence

_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(.*)$", re.MULTILINE)
MOST_FILES, MOST_THREADS, MOST_MEGABYTES = 60, 60, 150
"""How much more than at its start the process of a server may have when its clients have left; memory of all together."""


def check_commands(evidence: Evidence) -> list[str]:
    """Return what commands and clients reported that no correct server and client should."""
    failed = [
        f"fetcher {fact['fetcher']}, number {fact['number']}: {fact['fault']}" for fact in evidence.facts["failed"]
    ]
    return failed + [fact["problem"] for fact in evidence.facts["problem"]]


def check_logs(evidence: Evidence) -> list[str]:
    """Return the kinds of tracebacks in the server's logs."""
    found: Counter[str] = Counter()
    for log in sorted((evidence.folder / "logs").glob("server-*.log")):
        found.update(_TRACEBACK.findall(log.read_text(errors="replace")))
    return [f"{times} tracebacks in the server's log: {last[:300]}" for last, times in found.most_common()]


def check_resources(evidence: Evidence) -> list[str]:
    """Compare what the server used at its first start with what it uses when all clients have left."""
    facts = evidence.facts["resources"]
    if not facts:
        return ["the server's resources were never measured"]
    start, end = facts[0], facts[-1]
    allowed = {"files": MOST_FILES, "threads": MOST_THREADS, "megabytes": MOST_MEGABYTES * end["processes"]}
    return [
        f"the server has {end[name]} {name} after all clients have left, at its start {start[name]}"
        for name, more in allowed.items()
        if end[name] > start[name] + more
    ]
