"""Count the ratings of a window, on servers that count them and on others."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow_movielens.client.errors import DataError, FatalError, RetryableError
from airflow_movielens.client.http.retries import Retries
from airflow_movielens.client.pagination.detect import read_window
from airflow_movielens.client.pagination.source import Source
from airflow_movielens.client.parsing import ACCEPT, read_total
from airflow_movielens.client.settings import MIN_PAGE_SIZE, ReadOptions
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from airflow_movielens.client.http.transport import Transport
    from airflow_movielens.client.pagination.source import Api
    from airflow_movielens.client.window import ServerCalendar, Window

_LIMIT_REFUSED = {
    HTTPStatus.NO_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


def count_ratings(api: Api, window: Window, calendar: ServerCalendar | None, enough: int | None = None) -> int:
    """Count the ratings of a window; see `MovielensClient.count_ratings`.

    Args:
        api: The API.
        window: The UTC days.
        calendar: The calendar of the server; None if its days are UTC days.
        enough: Stop counting rows at this number; None to count all of them.
    """
    if calendar is None:
        return _count(api, window, window, enough)
    inside, edges = _parts(window, calendar)
    count = 0 if inside is None else _count(api, inside, window, enough)
    return sum((_count_rows(api, edge, window, enough) for edge in edges), start=count)


def _count(api: Api, days: Window, window: Window, enough: int | None) -> int:
    total = _total(api, days)
    if total is not None:
        return total
    if enough is None and (days.start is None or days.end is None):
        raise DataError('the API\'s response has no "total", so ratings of a window with an open side are not counted')
    return _count_rows(api, days, window, enough)


def _total(api: Api, days: Window) -> int | None:
    """Request the total with no rows; if the server refuses this limit, with few rows, then with a page of them."""
    for limit in (0, MIN_PAGE_SIZE):
        try:
            return _total_of_page(api, days, limit)
        except (FatalError, RetryableError) as error:
            status = error.exchange.status if error.exchange else None
            is_division_by_zero = limit == 0 and status == HTTPStatus.INTERNAL_SERVER_ERROR
            if status not in _LIMIT_REFUSED and not is_division_by_zero:
                raise
    return _total_of_page(api, days, api.settings.page_size or api.transport.tuning.first_page_size)


def _total_of_page(api: Api, days: Window, limit: int) -> int | None:
    url = f"{api.settings.base_url}/{RATINGS.name}?{urlencode({**days.query(), 'offset': 0, 'limit': limit})}"
    # Overloads are not recorded: they say little about larger requests.
    retries = Retries(api.settings.retries, api.transport.rate_limit)
    return retries.run(partial(_read_total, api.transport, url, limit))


def _read_total(transport: Transport, url: str, rows: int) -> int | None:
    with transport.hiding_secrets():
        return read_total(transport.get(url, ACCEPT["json"], rows))


def _count_rows(api: Api, days: Window, window: Window, enough: int | None) -> int:
    options = ReadOptions(days, api.settings.page_size, "quarantine")
    source = Source.of(api.branch(), RATINGS, options, ACCEPT["json"])
    count = 0
    with closing(read_window(source)) as batches:
        for batch in batches:
            count += len(batch.between(*window.timestamps()).rows.checked)
            if enough is not None and count >= enough:
                break
    return count


def _parts(window: Window, calendar: ServerCalendar) -> tuple[Window | None, list[Window]]:
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
