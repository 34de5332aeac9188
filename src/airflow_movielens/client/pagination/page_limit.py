"""The largest ``limit`` that an API takes, found out by what it refuses."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from airflow_movielens.client.settings import MIN_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<!\d)(?<!\d\.)\d{1,7}(?!\.?\d)", re.ASCII)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)", re.ASCII)
_COMMON_MAXIMUM = 100
_MOST_TRIES = 3


class PageLimit:
    """What a client knows of the page sizes that its API takes. Safe to use from several threads."""

    def __init__(self) -> None:
        self._accepted = 0
        self._most: int | None = None

    def clamp(self, limit: int) -> int:
        """Lower a limit to what the API takes, as far as that is known."""
        return limit if self._most is None else min(limit, self._most)

    def accept(self, limit: int) -> None:
        """Take note of a limit that the API took."""
        self._accepted = max(self._accepted, limit)

    def lower(self, refused: int, accepted: int) -> None:
        """Take note of a limit that the API took in place of a larger one that it refused."""
        if self._most != accepted:
            log.warning("The API refuses limit=%s: reading pages of %s rows instead", refused, accepted)
        self._most = accepted
        self.accept(accepted)

    def smaller(self, refused: int, server_said: str) -> Iterable[int]:
        """Limits to try instead of one that was refused: the numbers in the server's words, and a common maximum.

        Args:
            refused: The limit of the request that the API refused.
            server_said: Its words, which often name its maximum.

        Returns:
            At most three, largest first; none if so large a limit was taken before, so that it is not the reason.
        """
        if refused <= self._accepted:
            return ()
        words = _THOUSANDS.sub("", server_said)
        stated = {int(number) for number in _NUMBER.findall(words)} | {_COMMON_MAXIMUM}
        return sorted((number for number in stated if MIN_PAGE_SIZE <= number < refused), reverse=True)[:_MOST_TRIES]
