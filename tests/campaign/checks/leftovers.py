"""After all fetches and rankings are done, nothing is left but their outputs and manifests, and what the server keeps."""

from __future__ import annotations

import re
from pathlib import Path

from tests.campaign.checks.evidence import Evidence

_OF_SERVER = re.compile(
    r"users\.json|users\.lock|rate-limits|cache(/.*)?|quarantine(/.*)?"
    r"|store(/[^/]+(/(ratings\.db|cursors\.key|(server|writing|compacting)\.lock|base-\d+(/.*)?))?)?"
)
"""What a server that was stopped may have in its data directory."""


def check(evidence: Evidence) -> list[str]:
    """Look for files that nobody needs any more."""
    facts = evidence.facts
    fetched, ranked = ({fact["name"] for fact in facts[what]} for what in ("fetched", "ranked"))
    return [
        *_others(evidence.folder / "fetched", fetched),
        *_others(evidence.folder / "ranked", ranked),
        *_others(evidence.folder / "tmp", set()),
        *_others_of_server(evidence.folder / "server"),
    ]


def _others(folder: Path, outputs: set[str]) -> list[str]:
    expected = outputs | {f".{name}.manifest.json" for name in outputs}
    found = {path.name for path in folder.iterdir()}
    left = [f"{folder.name}/{name} is left" for name in sorted(found - expected)]
    return left + [f"{folder.name}/{name} is missing" for name in sorted(expected - found)]


def _others_of_server(folder: Path) -> list[str]:
    found = (str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    return [f"{folder.name}/{name} is left" for name in found if not _OF_SERVER.fullmatch(name)]
