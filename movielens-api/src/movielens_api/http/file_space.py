"""The space of temporary files: responses that are written to the disk before they are sent."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY = {"Retry-After": "5"}
NOT_WRITTEN = "The server cannot write a temporary file now. Try again later, or request fewer rows."
_SHARE = 2


class FileSpace:
    """The space that temporary files may take in this process. A single user gets half of it.

    Clients that read slowly keep their files for as long as they like. Without a limit, they would fill the disk.

    Args:
        limit: The space of all users, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = Counter[str]()

    @contextmanager
    def take(self, user: str, size: int) -> Iterator[None]:
        """Take space for a file while the block runs.

        Args:
            user: The user who requested the file.
            size: The largest size that the file may have, in bytes.

        Raises:
            HTTPException: 503: there is no space now.
        """
        if self._taken[user] + size > self._limit // _SHARE or self._taken.total() + size > self._limit:
            raise HTTPException(
                503, "Too many large responses are being read. Try again later, or request fewer rows.", headers=RETRY
            )
        self._taken[user] += size
        try:
            yield
        finally:
            self._taken[user] -= size
            if not self._taken[user]:
                del self._taken[user]
