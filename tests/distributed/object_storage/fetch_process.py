"""A fetch to object storage in a separate process: ``python -m distributed.object_storage.fetch_process API URL``."""

from __future__ import annotations

import sys

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import fetch_ratings
from airflow_movielens.client.settings import Tuning
from airflow_movielens.storage.object_output import ObjectOutput

PAGE, PART = 50, 100
# Parts do not end earlier on a busy machine.
TUNING = Tuning(part_rows=PART, part_seconds=3600.0)


def fetch(server, output):
    with MovielensClient(server, page_size=PAGE, tuning=TUNING) as client:
        return fetch_ratings(client, Window.of("1970-01-02", "1970-01-03"), output)


if __name__ == "__main__":
    fetch(sys.argv[1], ObjectOutput(sys.argv[2]))
