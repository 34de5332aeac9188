"""Page sizes: how many rows the next request asks for, and what an API is known to accept.

With a given page size, each request asks for it. Without one, the first request asks for 1,000 rows, and the size
doubles after each page that is full and fast, up to 10,000. An API may send fewer rows than requested, or refuse such a
size; then the client stays below it, and tries again only after many full pages.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from airflow_movielens.client.errors import BadRowsError, RatingsChangedError
from airflow_movielens.client.settings import MIN_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_movielens.client.errors import RetryableError
    from airflow_movielens.client.rows import Bookmark, Page
    from airflow_movielens.client.settings import Tuning

_NUMBER = re.compile(r"(?<!\d)(?<!\d\.)\d{1,7}(?!\.?\d)", re.ASCII)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)", re.ASCII)
_COMMON_MAXIMUM = 100
_MAX_TRIES = 3
_PATIENCE = 10
"""After how many full pages a size that was once too large is tried again; twice as many after each failure."""


class PageLimit:
    """The page sizes that an API is known to accept, shared by all reads of a client. Safe to use from several threads.

    Attributes:
        ceiling: The size at which the API last shortened a page or failed on a larger one; None if it did not.
    """

    def __init__(self) -> None:
        self._accepted = 0
        self._maximum: int | None = None
        self.ceiling: int | None = None

    def clamp(self, limit: int) -> int:
        """Return a limit lowered to the largest that the API accepts, if that is known."""
        maximum = self._maximum
        return limit if maximum is None else min(limit, maximum)

    def accept(self, limit: int) -> None:
        """Record a limit that the API accepted."""
        self._accepted = max(self._accepted, limit)

    def has_grown(self, limit: int) -> bool:
        """Return whether the API accepted a limit, but none as large as this one."""
        return 0 < self._accepted < limit

    def lower(self, accepted: int) -> bool:
        """Record a limit that the API accepted in place of a larger one; return whether this was not known."""
        is_new = self._maximum != accepted
        self._maximum = self._accepted = accepted
        return is_new

    def smaller(self, refused: int, server_said: str) -> Iterable[int]:
        """Return limits to try instead of a refused one: the largest that was accepted, and those that are likely.

        Args:
            refused: The limit of the request that the API refused.
            server_said: Its message, which often names its maximum.

        Returns:
            At most three, largest first. None is smaller than an accepted one, unless even that is refused now.
        """
        accepted = self._accepted if self._accepted < refused else 0
        message = _THOUSANDS.sub("", server_said)
        likely = {int(number) for number in _NUMBER.findall(message)} | {_COMMON_MAXIMUM, accepted}
        least = max(MIN_PAGE_SIZE, accepted)
        return sorted((number for number in likely if least <= number < refused), reverse=True)[:_MAX_TRIES]


class Request(NamedTuple):
    """The request of a page, which is sent before the pages before it have arrived.

    Attributes:
        offset: The number of its first row.
        limit: How many rows it asks for.
        following: The offset of the request after it. If the page has more or fewer rows than expected, this is wrong.
    """

    offset: int
    limit: int
    following: int


class PageSizes:
    """The page sizes of one read.

    Args:
        given: How many rows each request asks for; None to adapt the number to the API.
        known: What is known about the API.
        tuning: The first and the largest size without a given one, and how long a fast page takes.

    Attributes:
        are_given: Whether the page size is given.
    """

    def __init__(self, given: int | None, known: PageLimit, tuning: Tuning) -> None:
        self.are_given = given is not None
        self._known = known
        self._slow = tuning.slow_page_seconds
        self._first = self._limit = self._rows = given or tuning.first_page_size
        self._largest = given or tuning.largest_page_size
        self._ceiling = min(known.ceiling or self._largest, self._largest)
        self._largest_full = 0
        self._full_pages = 0
        self._patience = _PATIENCE

    @property
    def first(self) -> int:
        """How many rows the first request asks for."""
        return self._known.clamp(self._first)

    def next(self) -> tuple[int, int]:
        """Return how many rows the next request asks for, and how many are expected: the API may send fewer."""
        limit = self._limit
        if not self.are_given and limit == self._ceiling and self._full_pages >= self._patience:
            limit = min(2 * limit, self._largest)
            self._full_pages, self._patience = 0, 2 * self._patience
        clamped = self._known.clamp(limit)
        return clamped, self._rows if clamped == limit else min(self._rows, clamped)

    def learn(self, page: Page, requested: int, at: Bookmark) -> None:
        """Adapt the size to a page.

        Args:
            page: The page.
            requested: How many rows it was to have; fewer were requested if the API refused this or failed.
            at: The bookmark after the page.
        """
        is_known = at.total is not None
        if page.limit < requested and not self.are_given:
            self._limit = self._rows = page.limit
            self._stay_below(page.limit, is_known=is_known)
        if page.rows.count == page.limit:
            self._accept_full_page(page)
        elif page.rows.count > page.limit:  # the API ignores the limit
            self._rows = page.rows.count
        elif at.count != at.total:
            self._accept_short_page(page, is_known=is_known)

    def after_failure(self, limit: int, error: RetryableError) -> int:
        """Return for how many rows a request for ``limit`` rows is repeated: fewer if they may have been too many."""
        is_of_size = not isinstance(error, BadRowsError | RatingsChangedError) and error.retry_after is None
        status = error.exchange.status if error.exchange else None
        if self.are_given or not is_of_size or status == HTTPStatus.TOO_MANY_REQUESTS:
            return limit
        return max(limit // 2, min(limit, self._first))

    def _accept_full_page(self, page: Page) -> None:
        limit = page.limit
        self._largest_full = max(self._largest_full, limit)
        self._full_pages += limit == self._limit
        if limit > self._ceiling:
            self._ceiling, self._known.ceiling, self._patience = self._largest, None, _PATIENCE
        may_grow = not self.are_given and page.seconds < self._slow
        grown = min(2 * limit, self._ceiling) if may_grow else limit
        # Pages of a smaller size may still arrive after it has grown.
        if grown >= self._limit:
            self._limit = self._rows = grown

    def _accept_short_page(self, page: Page, *, is_known: bool) -> None:
        if page.limit <= self._largest_full:
            self._largest_full = 0
        # Some servers replace a limit that is too large by a small default.
        self._rows = max(page.rows.count, self._largest_full, 1)
        # Some servers also refuse small limits, so none is smaller than the first one.
        self._limit = max(self._rows, self._first)
        self._stay_below(self._rows, is_known=is_known)

    def _stay_below(self, ceiling: int, *, is_known: bool) -> None:
        self._ceiling = ceiling
        self._full_pages = 0
        # Without a total, a short page may also be the last one.
        if is_known:
            self._known.ceiling = ceiling
