"""Complete reads and fetches of a scripted server."""

from __future__ import annotations

from datetime import date

from unit.scripted_server import ratings

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import fetched_rows
from airflow_movielens.client.settings import Tuning

ROWS = ratings(100)
DAY_2 = Window(date(1970, 1, 2), date(1970, 1, 3))
AT_ONCE = Tuning(start_over_seconds=0.0)


def read(server, **settings):
    """Return all ratings of a server, read by pages of 10."""
    with MovielensClient(server.base_url, "user", "secret", **{"page_size": 10} | settings) as client:
        return list(client.get_ratings())


def fetched(server, window=None, **settings):
    """Return the ratings of a window as a fetch gets them, which starts over if the data changes."""
    with MovielensClient(server.base_url, page_size=10, tuning=AT_ONCE, **settings) as client:
        with fetched_rows(client, window or Window()) as rows:
            return rows.collect().to_dicts()
