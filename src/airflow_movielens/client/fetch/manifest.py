"""What is known of a fetched file, to be kept beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """What is known of a fetched file.

    Attributes:
        path: The file, as the user named it.
        start_date: First UTC day of the window, ``YYYY-MM-DD``; None if it is open.
        end_date: First UTC day behind the window; None if it is open.
        rows: How many ratings the file holds.
        quarantined: How many further rows broke the contract.
        quarantine_path: The file that holds those; None if there are none.
        snapshot: The server's name for the state of the data; None if it names none.
        sha256: Of the file, in hexadecimal digits.
        bytes: Size of the file.
        source: Base URL of the API.
        fetched_at: When the fetch was complete, in UTC as ISO 8601.
        package_version: Of this package.
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
        """The manifest in values that JSON knows."""
        return asdict(self)

    def to_json(self) -> str:
        """The manifest as it is kept in its file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def manifest_name(name: str) -> str:
    """The name of the hidden file that holds the manifest of the file ``name``."""
    return f".{name}.manifest.json"


QUARANTINE_ENDING = ".quarantine.ndjson"
"""What the name of a file of quarantined rows has behind that of its data."""
