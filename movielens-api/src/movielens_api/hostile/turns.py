"""When a fault is due. Requests are counted, so the same requests meet the same faults, and every fault ends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from movielens_api.hostile.middleware import Profile, query

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Address = tuple[tuple[str, str], ...]


class Turns:
    """Counts the requests for each address, over and over.

    Without ``limit``, ``offset`` is ignored: a client that resumes a broken stream asks for that stream.

    Args:
        period: After how many requests the count starts again.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._requests: Counter[Address] = Counter()

    def take(self, scope: Scope) -> int:
        """Count a request. Return how many requests for this address came before it, since the count started."""
        asked = query(scope)
        if "limit" not in asked:
            asked.pop("offset", None)
        address = _address(asked)
        self._requests[address] += 1
        return (self._requests[address] - 1) % self._period


class Pulls:
    """Counts the pages of every other pull, for faults after which a client starts over and then succeeds.

    A pull starts with a request for a first page: without a cursor, and with ``offset`` 0 or none. A repeated request
    is for the same page, and a first page requested twice in a row starts no second pull. ``limit`` 0 is no page.
    """

    def __init__(self) -> None:
        self._number = 0
        self._pages: dict[Address, int] = {}

    def take(self, scope: Scope) -> int | None:
        """Count a request. Return the number of its page in the pull, from 0, or None if no fault is due."""
        asked = query(scope)
        if asked.get("limit") == "0":
            return None
        address = _address(asked)
        if is_first_page(scope) and list(self._pages) != [address]:
            self._number += 1
            self._pages = {}
        page = self._pages.setdefault(address, len(self._pages))
        return page if self._number % 2 else None


def is_first_page(scope: Scope) -> bool:
    """Return whether a request starts a pull."""
    asked = query(scope)
    return "cursor" not in asked and asked.get("offset", "0") == "0" and asked.get("limit") != "0"


def _address(asked: dict[str, str]) -> Address:
    return tuple(sorted(asked.items()))


class EveryOther(Profile):
    """A layer that misbehaves at the first of every two requests for a page."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._turns = Turns(2)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Misbehave, or pass the request on."""
        await (self.app if self._turns.take(scope) else self.misbehave)(scope, receive, send)

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond wrongly. By default, send the changed response."""
        await super().read(scope, receive, send)
