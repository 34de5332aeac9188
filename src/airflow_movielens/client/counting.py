"""Count the ratings of a window, on servers that count them and on others."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, RetryableError
from airflow_movielens.client.settings import MIN_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client.time_zone import ServerCalendar
    from airflow_movielens.client.window import Window

_LIMIT_REFUSED = {
    HTTPStatus.NO_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


def first_accepted(request: Callable[[int], int | None], page_size: int) -> int | None:
    """Request the total with no rows; if the server refuses this limit, with few rows, then with a page of them.

    Args:
        request: Requests the total with a limit.
        page_size: The largest limit to try.

    Raises:
        FatalError: The server refuses all limits, or refuses the request for another reason.
        RetryableError: The server fails for any limit.
    """
    for limit in (0, MIN_PAGE_SIZE):
        try:
            return request(limit)
        except (FatalError, RetryableError) as error:
            status = error.exchange.status if error.exchange else None
            is_division_by_zero = limit == 0 and status == HTTPStatus.INTERNAL_SERVER_ERROR
            if status not in _LIMIT_REFUSED and not is_division_by_zero:
                raise
    return request(page_size)


def parts(window: Window, calendar: ServerCalendar) -> tuple[Window | None, list[Window]]:
    """Divide the days of a server that cover a window.

    Returns:
        The days that certainly lie inside the window, which the server can count (None if there are none), and the days
        at its edges, whose rows must be read.
    """
    covering, inside = calendar.covering(window), calendar.inside(window)
    if inside is None:
        return None, [covering]
    edges = (covering.start, inside.start), (inside.end, covering.end)
    return inside, [calendar.days(start, end) for start, end in edges if start != end]
