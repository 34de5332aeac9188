"""The figures of a campaign, and what its checks found."""

from __future__ import annotations

from collections import Counter

from benchmarks.tables import Target, table, verdicts
from tests.campaign.checks import CHECKS
from tests.campaign.checks.evidence import Evidence

SHOWN = 10
"""How many faults of a check are printed."""


def figures(evidence: Evidence) -> str:
    """Return a table of what has happened, including earlier runs of a continued campaign."""
    counts: Counter[str] = Counter()
    for fact in evidence.facts["counts"]:
        counts.update(fact["counts"])
    facts = evidence.facts
    acknowledged = facts["acknowledged"]
    rows: dict[str, int | str] = {
        "requests": sum(1 for _ in (evidence.folder / "logs" / "access.log").open("rb")),
        "ratings acknowledged": sum(fact["rows"] for fact in acknowledged),
        "posts acknowledged": len(acknowledged),
        "posts sent again": sum(fact["tries"] > 1 for fact in acknowledged),
        "posts acknowledged by a replayed response": sum(fact["replayed"] for fact in acknowledged),
        "fetches done": len(facts["fetched"]),
        "fetches that resumed": sum(bool(fact["resumed"]) for fact in facts["fetched"]),
        "ratings fetched": sum((evidence.manifest(fact) or {"rows": 0})["rows"] for fact in facts["fetched"]),
        "files seen after a failed attempt": sum(fact["file"] is not None for fact in facts["seen"]),
        "rankings done": len(facts["ranked"]),
        **dict(sorted(counts.items())),
    }
    for number, fact in enumerate(facts["resources"]):
        when = "at the first start" if not number else "at the end"
        if number in {0, len(facts["resources"]) - 1}:
            used = f"{fact['megabytes']} MB, {fact['files']} files, {fact['threads']} threads"
            rows[f"server {when} ({fact['processes']} processes)"] = used
    return table(
        ["what", "number"], [[name, f"{value:,}" if isinstance(value, int) else value] for name, value in rows.items()]
    )


def check(evidence: Evidence) -> tuple[str, int]:
    """Run all checks, and return a table of them with the faults, and the number of faults."""
    found = {name: run(evidence) for name, run in CHECKS.items()}
    targets = [Target(name, f"{len(faults):,} faults", not faults) for name, faults in found.items()]
    lines = [f"- {name}: {fault}" for name, faults in found.items() for fault in faults[:SHOWN]]
    return "\n\n".join([verdicts(targets), *(["\n".join(lines)] if lines else [])]), sum(map(len, found.values()))
