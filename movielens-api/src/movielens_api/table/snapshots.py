"""States of the ratings, and names that tell each from all others."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movielens_api.table.ratings_table import RatingsTable

ID_BYTES = 12


class SnapshotGoneError(LookupError):
    """The state is not here: it was dropped, or this server never had it."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One state of the ratings, which never changes.

    Attributes:
        id: names the state: equal names, equal ratings, also after a restart and in another process.
        version: how many posted ratings it contains.
        ratings: the ratings of this state.
    """

    id: bytes
    version: int
    ratings: RatingsTable

    @property
    def name(self) -> str:
        """The id as it is sent."""
        return self.id.hex()


@dataclass(frozen=True)
class Origin:
    """Where states come from.

    Attributes:
        digest: the dataset's.
        lineage: random; tells what was posted here from what was posted to the same dataset elsewhere.
    """

    digest: bytes
    lineage: bytes

    @property
    def key(self) -> bytes:
        """What cursors are signed with. It comes from the data, so they outlive a restart on the same ratings."""
        return sha256(b"cursors of " + self.digest).digest()

    def identify(self, version: int) -> bytes:
        """Name a version. Before anything is posted, the name is the dataset's alone: equal datasets, equal names."""
        state = self.digest + self.lineage + version.to_bytes(8) if version else self.digest
        return sha256(b"snapshot " + state).digest()[:ID_BYTES]
