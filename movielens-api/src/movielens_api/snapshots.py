"""States of the ratings: the current one, and those that somebody is still paging through."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock

from movielens_api.ratings_table import RatingsTable

ID_BYTES = 12
SECONDS_KEPT = 900.0
MOST_KEPT = 64


class SnapshotGoneError(LookupError):
    """The state is not here: it was dropped, or this server never had it."""


@dataclass(eq=False)
class Snapshot:
    """One state of the ratings, which never changes.

    Attributes:
        id: names the state: the same ratings have the same, also after a restart and in another process.
        ratings: the ratings of this state.
        held: when somebody was last given a cursor into it, if ever.
    """

    id: bytes
    ratings: RatingsTable
    held: float | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The id as it is sent."""
        return self.id.hex()


class Snapshots:
    """The current state, and the earlier ones that cursors lead into.

    Any thread may use it; nobody waits longer than references are exchanged.

    Args:
        ratings: the first state.
        seconds_kept: how long after its last cursor an earlier state stays.
        most_kept: how many earlier states stay at most; beyond that, the one unused for longest goes.
        clock: tells seconds; tests bring their own.

    Attributes:
        key: what cursors are signed with. It comes from the data, so cursors outlive a restart on the same ratings.
    """

    def __init__(
        self,
        ratings: RatingsTable,
        *,
        seconds_kept: float = SECONDS_KEPT,
        most_kept: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        digest = ratings.digest()
        self.key = sha256(b"cursors of " + digest).digest()
        self._current = Snapshot(_identify(digest), ratings)
        self._earlier: dict[bytes, Snapshot] = {}
        self._seconds_kept = seconds_kept
        self._most_kept = most_kept
        self._clock = clock
        self._lock = Lock()

    def current(self) -> Snapshot:
        """Return the latest state."""
        return self._current

    def find(self, identifier: bytes) -> Snapshot:
        """Return the state of this id.

        Raises:
            SnapshotGoneError: it was dropped or never here.
        """
        current = self._current
        found = current if identifier == current.id else self._earlier.get(identifier)
        if found is None:
            raise SnapshotGoneError(identifier.hex())
        return found

    def hold(self, snapshot: Snapshot) -> None:
        """Keep a state for a while: somebody was given a cursor into it."""
        with self._lock:
            snapshot.held = self._clock()
            if snapshot is not self._current:
                # It may have been replaced, unheld, since it was read.
                self._earlier[snapshot.id] = snapshot

    def publish(self, ratings: RatingsTable, state: bytes | None = None) -> Snapshot:
        """Make other ratings the current state. The one before stays if a cursor leads into it.

        Args:
            ratings: all ratings of the new state.
            state: what tells this state from all others; by default a digest of all ratings, which reads each.
        """
        snapshot = Snapshot(_identify(state or ratings.digest()), ratings)
        with self._lock:
            before, self._current = self._current, snapshot
            self._earlier.pop(snapshot.id, None)
            if before.id != snapshot.id:
                self._earlier[before.id] = before
            self._tidy()
        return snapshot

    def drop(self, snapshot: Snapshot) -> None:
        """Forget an earlier state now: cursors into it are told that it is gone."""
        with self._lock:
            self._earlier.pop(snapshot.id, None)

    def _tidy(self) -> None:
        oldest = self._clock() - self._seconds_kept
        in_use = [one for one in self._earlier.values() if one.held is not None and one.held > oldest]
        in_use.sort(key=lambda one: one.held or 0.0)
        self._earlier = {one.id: one for one in in_use[-self._most_kept :]}


def _identify(state: bytes) -> bytes:
    return sha256(b"snapshot " + state).digest()[:ID_BYTES]
