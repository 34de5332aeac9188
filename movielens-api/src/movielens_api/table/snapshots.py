"""Snapshots: states of the ratings with unique names."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movielens_api.table.ratings_table import RatingsTable

ID_BYTES = 12


class SnapshotGoneError(LookupError):
    """The snapshot is no longer kept, or never existed on this server."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An immutable state of the ratings.

    Attributes:
        id: The name of the state. Equal names mean equal ratings, also after a restart and in another process.
        version: How many posted ratings it contains.
        ratings: The ratings of this state.
    """

    id: bytes
    version: int
    ratings: RatingsTable

    @property
    def name(self) -> str:
        """The id as it is sent to clients."""
        return self.id.hex()


@dataclass(frozen=True)
class Origin:
    """Where snapshots come from.

    Attributes:
        digest: The digest of the dataset.
        lineage: Random bytes that distinguish what was posted here from what was posted to the same dataset elsewhere.
        key: The random key of the store, which signs cursors.
    """

    digest: bytes
    lineage: bytes
    key: bytes = field(repr=False)

    def identify(self, version: int) -> bytes:
        """Return the name of a version. Version 0 is named after the dataset, so equal datasets have equal names."""
        state = self.digest + self.lineage + version.to_bytes(8) if version else self.digest
        return sha256(b"snapshot " + state).digest()[:ID_BYTES]
