"""How many bytes of object storage may be copied to the local disk."""

from __future__ import annotations

from threading import Lock

from fsspec.callbacks import Callback


class CopyLimitError(ValueError):
    """A file is larger than what may still be copied."""


class CopyLimit:
    """A limit for files that threads copy at the same time.

    Args:
        most: How many bytes all of them may have together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._left = most
        self._lock = Lock()

    def take(self, size: int) -> None:
        """Count bytes that are copied.

        Raises:
            CopyLimitError: They are more than what is left.
        """
        with self._lock:
            if size > self._left:
                raise CopyLimitError
            self._left -= size


class LimitedCopy(Callback):  # type: ignore[misc]
    """What a file system of fsspec tells about one copy. Most of them know the size before the first byte.

    Args:
        limit: The limit.
    """

    def __init__(self, limit: CopyLimit) -> None:
        super().__init__()
        self._limit = limit
        self._counted = 0

    def call(self, *_: object, **__: object) -> None:
        """Count what is new since the last call; raises as `CopyLimit.take` does, which ends the copy."""
        known = max(self.size or 0, self.value)
        if known > self._counted:
            self._limit.take(known - self._counted)
            self._counted = known
