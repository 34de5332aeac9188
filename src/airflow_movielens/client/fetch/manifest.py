"""The manifest of a fetched file, which lies beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """The facts about a fetched file.

    Attributes:
        path: The path or URL of the file, as the user gave it.
        start_date: First UTC day of the window, ``YYYY-MM-DD``; None if it is open.
        end_date: First UTC day after the window; None if it is open.
        rows: How many ratings the file holds.
        quarantined: How many further rows broke the contract.
        quarantine_path: The file of these rows; None if there are none.
        snapshot: The server's name for the state of the data; None if it sends none.
        sha256: Of the file, in hexadecimal digits.
        bytes: Size of the file.
        source: Base URL of the API.
        fetched_at: When the fetch was complete, in UTC as ISO 8601.
        package_version: The version of this package.
    """

    path: str
    start_date: str | None
    end_date: str | None
    rows: int
    quarantined: int
    quarantine_path: str | None
    snapshot: str | None
    sha256: str
    bytes: int
    source: str
    fetched_at: str
    package_version: str

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as values that JSON can hold."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the content of the manifest file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def manifest_name(name: str) -> str:
    """Return the name of the hidden manifest file of the file ``name``."""
    return f".{name}.manifest.json"


QUARANTINE_ENDING = ".quarantine.ndjson"
"""The suffix that the file of quarantined rows adds to the name of the data file."""
