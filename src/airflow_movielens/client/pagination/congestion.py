"""How many requests may be under way, found out by how the server takes them."""

from __future__ import annotations

import threading

_FIRST_SIZE = 4


class CongestionWindow:
    """Grows while the server answers well, halves when it is in trouble.

    As TCP does it (RFC 5681): one more for each good answer until the first trouble (slow start), then one more for
    each round of good answers (additive increase); half at each trouble, but once for all the requests that were under
    way together (multiplicative decrease).

    Args:
        limit: The most that it grows to, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._exact_size = float(min(_FIRST_SIZE, limit))
        self._slow_start = True
        self._good_since_trouble = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many requests may be under way now, at least 1."""
        return int(self._exact_size)

    def on_success(self) -> None:
        """Take note of a good answer."""
        with self._lock:
            self._good_since_trouble += 1
            growth = 1.0 if self._slow_start else 1.0 / self._exact_size
            self._exact_size = min(self._exact_size + growth, self._limit)

    def on_trouble(self) -> None:
        """Take note of an overloaded server: 429, 5xx, or no answer in time."""
        with self._lock:
            # Requests that were sent together fail together: one trouble, not many.
            if self._slow_start or self._good_since_trouble >= self.size:
                self._exact_size = max(self._exact_size / 2, 1.0)
                self._good_since_trouble = 0
            self._slow_start = False
